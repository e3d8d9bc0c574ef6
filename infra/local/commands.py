"""The commands of the embedded stack and their exit statuses."""

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from infra.local.errors import LocalError
from infra.local.progress import say
from infra.local.stack import Stack


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is documented in `--help`."""
    parser = argparse.ArgumentParser(prog="python -m infra.local")
    commands = parser.add_subparsers(required=True)
    up = commands.add_parser("up")
    up.add_argument("--home", type=Path, default=Path(".millrace"))
    up.add_argument("--parts")
    chosen = parser.parse_args(arguments)
    try:
        return _up(chosen.home, chosen.parts.split(",") if chosen.parts else None)
    except LocalError as error:
        print(f"millrace: {error}", file=sys.stderr)
        return error.exit_status


def _up(home: Path, names: Sequence[str] | None) -> int:
    over = threading.Event()

    def finish(_number: int, _frame: FrameType | None) -> None:
        over.set()

    signal.signal(signal.SIGINT, finish)
    signal.signal(signal.SIGTERM, finish)
    with Stack(home, names):
        say("all parts are up; Ctrl-C stops them")
        over.wait()
        say("stopping")
    return 0
