"""Starts one gateway: `python -m gateway`."""

import asyncio
import logging
import os
import sys
from types import FrameType

import uvicorn

from gateway.app import Surrounded, create_app
from gateway.limits import Limits
from streams.settings import SettingError, Settings

_GRACE = 5
"""Seconds that calls under way have at a stop."""


class Server(uvicorn.Server):
    """Ends the event streams as soon as it is told to stop: their clients come back to another gateway, or later."""

    def __init__(self, config: uvicorn.Config, app: Surrounded) -> None:
        super().__init__(config)
        self._app = app
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Runs until told to stop."""
        self._loop = asyncio.get_running_loop()
        await super().serve()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """At a signal."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._app.parts.streams.stop)
        super().handle_exit(sig, frame)


def main() -> int:
    """The exit status: 0 after a stop, 2 for a setting that cannot be used, 1 when it could not start."""
    logging.basicConfig(level=os.environ.get("MILLRACE_LOG_LEVEL", "INFO"), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    try:
        settings = Settings.read()
        app = create_app(settings, Limits.read())
    except SettingError as error:
        print(error, file=sys.stderr)  # noqa: T201  # nothing else is up yet to say it
        return 2
    config = uvicorn.Config(
        app,
        host=settings.http_host,
        port=settings.http_port,
        access_log=False,  # it would write the key of a browser's link; /metrics has the figures
        server_header=False,
        log_config=None,
        h11_max_incomplete_event_size=64 * 1024,
        timeout_graceful_shutdown=_GRACE,
    )
    server = Server(config, app)
    server.run()
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
