"""Start one gateway: `python -m gateway`."""

import logging
import os
import sys

from gateway.api.limits import Limits
from streams.bootstrap import begin
from streams.runtime import logs
from streams.settings import SettingError, Settings


def main() -> int:
    """Serve, and return the exit status: 0 after a stop, 2 for an invalid setting, 1 when it could not start."""
    begin()
    # The libraries' warnings are for the authors of clients.
    logs.begin(os.environ.get("MILLRACE_LOG_LEVEL", "INFO"), libraries=logging.ERROR)
    try:
        settings, limits = Settings.read(), Limits.read()
        from gateway.app import (
            create_app,  # only now: it takes seconds, and an invalid setting should be reported at once
        )
        from gateway.server import Server

        app = create_app(settings, limits)
    except SettingError as error:
        print(error, file=sys.stderr)  # noqa: T201  # logging is not for people who start it
        return 2
    server = Server(app, settings.http_host, settings.http_port)
    server.run()
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
