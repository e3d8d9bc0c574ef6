"""Unread bodies: drained before the answer is sent, so that the answer arrives.

A connection that is closed while its client still sends is reset, and the reset overtakes the answer: the client of a refused
upload would see a broken connection instead of the reason.
"""

import asyncio
import contextlib

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_MOST = 256 * 1024 * 1024
"""Bytes that are drained, at most."""
_PATIENCE = 30.0
"""Seconds for draining."""
_BRIEF = 5.0
"""Seconds for draining the body of a client without a key."""
_NO_KEY, _SLOW = 401, 408


class BodyDrain:
    """Drains the rest of a request's body when its answer begins, within limits."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, as ASGI defines it."""
        if scope["type"] != "http" or not _has_body(headers := Headers(scope=scope)):
            await self.app(scope, receive, send)
            return
        whole, asked = False, "expect" not in headers

        async def take() -> Message:
            nonlocal whole, asked
            asked = True
            message = await receive()
            whole = not message.get("more_body", False)
            return message

        async def drain(seconds: float) -> None:
            left = _MOST
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    while not whole and left > 0:
                        left -= len((await take()).get("body", b""))

        async def answer(message: Message) -> None:
            # A client that sent `Expect` has not begun to send its body, and one that is too slow is not waited for.
            if message["type"] == "http.response.start" and asked and message["status"] != _SLOW:
                await drain(_BRIEF if message["status"] == _NO_KEY else _PATIENCE)
            await send(message)

        await self.app(scope, take, answer)


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
