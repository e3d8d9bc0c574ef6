"""Compressed bodies (`Content-Encoding`), decompressed as they are read, so that every limit is on the decompressed body."""

import zlib

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.problems import Kind, Problem

ACCEPTED = "gzip"
_CODINGS = frozenset({"gzip", "x-gzip"})
_PIECE = 256 * 1024
"""Bytes that are passed on together, at most: a small body may become a thousand times as large."""
_GZIP = zlib.MAX_WBITS | 16


class ContentDecoding:
    """Decompresses gzip; any other coding is refused with a Problem (415), which is raised where the body is read."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, as ASGI defines it."""
        codings = _codings(scope) if scope["type"] == "http" else []
        if not codings:
            await self.app(scope, receive, send)
            return
        if len(codings) > 1 or codings[0] not in _CODINGS:
            await self.app(scope, _refusing(", ".join(codings)), send)
            return
        # The length is that of the compressed body; the other one is not known yet.
        headers = [header for header in scope["headers"] if header[0] not in (b"content-encoding", b"content-length")]
        await self.app({**scope, "headers": headers}, _Decompressing(receive), send)


def _codings(scope: Scope) -> list[str]:
    listed = ",".join(Headers(scope=scope).getlist("content-encoding")).lower().split(",")
    return [coding for entry in listed if (coding := entry.strip()) not in ("", "identity")]


def _refusing(coding: str) -> Receive:
    async def receive() -> Message:
        raise Problem(
            Kind.MEDIA,
            f"A body with Content-Encoding {coding:.80} is not supported; send it uncompressed, or compressed with {ACCEPTED}.",
            headers={"Accept-Encoding": ACCEPTED},
        )

    return receive


class _Decompressing:
    """Receives a compressed body as decompressed pieces; one gzip member may follow another. A cancelled call may be repeated."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._compressed = b""
        self._member = zlib.decompressobj(_GZIP)
        self._within = False
        """Whether a member has begun and not ended."""
        self._full = False
        """Whether more output may come without more input."""
        self._more, self._over = True, False

    async def __call__(self) -> Message:
        while self._more or not self._over:
            if self._compressed or self._full:
                if piece := self._take():
                    return {"type": "http.request", "body": piece, "more_body": True}
            elif self._more:
                message = await self._receive()
                if message["type"] != "http.request":
                    return message
                self._compressed, self._more = message.get("body", b""), message.get("more_body", False)
            elif self._within:
                raise _unreadable("it is truncated")
            else:
                self._over = True
                return {"type": "http.request", "body": b"", "more_body": False}
        return await self._receive()

    def _take(self) -> bytes:
        try:
            piece = self._member.decompress(self._compressed, _PIECE)
        except zlib.error as error:
            raise _unreadable(str(error)) from None
        self._compressed, self._within = self._member.unconsumed_tail, True
        self._full = len(piece) == _PIECE
        if self._member.eof:
            self._compressed, self._within, self._full = self._member.unused_data, False, False
            self._member = zlib.decompressobj(_GZIP)
        return piece


def _unreadable(why: str) -> Problem:
    return Problem(Kind.BAD_REQUEST, f"The body is not gzip, as its Content-Encoding says: {why}.")
