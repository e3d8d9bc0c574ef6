"""The HTTP server around the application, and how it stops."""

import asyncio
import signal
from types import FrameType
from typing import Any

import uvicorn

from gateway.app import GatewayApp
from gateway.http.protocol import bounded

_GRACE = 5
"""Seconds that running calls have when the server stops."""


class Server(uvicorn.Server):
    """Ends the event streams as soon as it stops: their clients come back to another gateway, or later."""

    def __init__(self, app: GatewayApp, host: str, port: int) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                http=bounded(app.components.access.limits),  # type: ignore[arg-type]  # only called, like a class
                ws="none",
                access_log=False,  # it would log the key of a browser's link; /metrics has the figures
                server_header=False,
                log_config=None,
                timeout_graceful_shutdown=_GRACE,
            )
        )
        self._app = app
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, sockets: Any = None) -> None:
        """Serve until stopped."""
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    @property
    def port(self) -> int:
        """The port that the server listens on, once started."""
        return int(self.servers[0].sockets[0].getsockname()[1])

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop at a signal; a second Ctrl-C does not wait for running calls. The signal is not raised again, so that the status is 0."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.stop()

    def stop(self) -> None:
        """Stop serving. May be called from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._app.components.following.streams.stop)
        self.should_exit = True
