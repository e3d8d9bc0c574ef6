"""`make mlflow`: serve MLflow's page on loopback. `python -m training.registry.page [--port N]`."""

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from typing import NoReturn

from streams.bootstrap import begin
from streams.errors import MillraceError
from streams.settings import SettingError, Settings
from training.registry import tracking

_HOST = "127.0.0.1"


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Replace this process by MLflow's server; exits with 1 if there is nothing to show."""
    begin()
    parser = argparse.ArgumentParser(prog="python -m training.registry.page", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    port = parser.parse_args(arguments).port or _free()
    try:
        settings = Settings.read()
        tracking.connect(settings)
    except (MillraceError, SettingError) as error:
        print(f"millrace: {error}. Is the stack up (`make run`)?", file=sys.stderr)
        sys.exit(1)
    print(f"MLflow: http://{_HOST}:{port}/ in a while (Ctrl-C ends it)", flush=True)
    # The database and its password are passed in the environment: every user of the machine can read arguments.
    environ = {
        **os.environ,
        **tracking.environment(settings),
        "MLFLOW_BACKEND_STORE_URI": tracking.database(settings),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    command = [sys.executable, "-m", "mlflow", "server", "--host", _HOST, "--port", str(port), "--workers", "1"]
    os.execve(
        sys.executable, [*command, "--no-serve-artifacts"], environ
    )  # the server gets signals, and its exit status counts


def _free() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
