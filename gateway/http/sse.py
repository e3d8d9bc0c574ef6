"""Server-sent events: their text, and the response that streams them to one client until it disconnects."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.api.problems import Kind, Problem
from streams.errors import Blame, MillraceError

PING = b": ping\n\n"
HELLO = b"retry: 1000\n\n"
"""Milliseconds after which a client that lost its stream reconnects."""

log = logging.getLogger(__name__)


def frame(name: str, data: bytes, id: int | None = None) -> bytes:
    """Return one event. `data`: JSON without line breaks."""
    head = b"" if id is None else b"id: %d\n" % id
    return b"%sevent: %s\ndata: %s\n\n" % (head, name.encode(), data)


def last_event_id(headers: Mapping[str, str]) -> int:
    """Return the last id that a client has seen; -1 when it has seen no event. Raises Problem (400) for an invalid one."""
    text = headers.get("last-event-id", "").strip()
    if not text:
        return -1
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise Problem(Kind.BAD_REQUEST, f"Last-Event-ID: expected the id of an event of this run, got {text!r:.60}.")
    return int(text)


class Stalled(MillraceError):
    """Raised when a client does not read its stream."""

    blame = Blame.CALLER


class EventStream(Response):
    """Sends `frames` until they end, the client disconnects, or the client has not read for `stall` seconds.

    An error of `frames` becomes an `error` event, since the status has been sent by then.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        frames: AsyncIterator[bytes],
        *,
        status: int = 200,
        stall: float = 30.0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(None, status, {**(headers or {}), "Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._frames = frames
        self._stall = stall

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, as ASGI defines it."""
        writer = asyncio.ensure_future(self._write(send))
        gone = asyncio.ensure_future(disconnected(receive))
        try:
            await asyncio.wait((writer, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (writer, gone):
                task.cancel()
            results = await asyncio.gather(writer, gone, return_exceptions=True)
            # Closed here, not by the garbage collector: this frees the client's slot.
            with contextlib.suppress(RuntimeError):
                await self._frames.aclose()  # type: ignore[attr-defined]
            for error in results:
                if isinstance(error, Exception):
                    log.info("event stream dropped: %s", error or type(error).__name__)

    async def _write(self, send: Send) -> None:
        async def put(data: bytes, *, more: bool = True) -> None:
            message = {"type": "http.response.body", "body": data, "more_body": more}
            try:
                # Not `wait_for`: before Python 3.12 it may swallow the cancellation that a disconnect is.
                async with asyncio.timeout(self._stall):
                    await send(message)
            except TimeoutError:
                raise Stalled(f"the client has not read for {self._stall} seconds") from None

        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await put(HELLO)
        try:
            async for data in self._frames:
                await put(data)
        except Stalled:
            raise
        except Problem as problem:
            await put(frame("error", bytes(problem.response().body)))
        except Exception:
            log.exception("an event stream cannot go on")
            internal = Problem(Kind.INTERNAL, "The stream cannot go on; come back with Last-Event-ID.")
            await put(frame("error", bytes(internal.response().body)))
        await put(b"", more=False)


async def disconnected(receive: Receive) -> None:
    """Return when the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass
