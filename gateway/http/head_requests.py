"""HEAD: the answer of GET without its body."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadRequests:
    """Answers HEAD wherever GET is offered. A stream ends as soon as it has begun, as if its client had disconnected."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, as ASGI defines it. The server itself omits the bodies, since its own scope still says HEAD."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        begun, asked, ended = asyncio.Event(), False, False

        async def nothing() -> Message:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await begun.wait()
            return {"type": "http.disconnect"}

        async def watch(message: Message) -> None:
            nonlocal ended
            await send(message)
            if message["type"] == "http.response.start":
                begun.set()
            else:
                ended = not message.get("more_body", False)

        await self.app({**scope, "method": "GET"}, nothing, watch)
        if begun.is_set() and not ended:
            await send({"type": "http.response.body"})
