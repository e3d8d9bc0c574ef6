"""Bodies that do not come: every call waits for its body as long as the limits say, and no longer."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.auth import LOGIN
from gateway.api.limits import Limits
from gateway.api.problems import Kind, Problem


class BodyTimeout:
    """Ends the wait for a body with a Problem (408), which is raised where the body is read."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # Who signs in is nobody yet, and sends a line.
        patience = self._limits.head if scope["path"] == LOGIN else self._limits.patience
        deadline: float | None = None
        whole = False

        async def in_time() -> Message:
            nonlocal deadline, whole
            if whole:  # what comes now is that the client leaves, whenever it does
                return await receive()
            if deadline is None:  # from the first reading on: before that, the gateway may let it wait for others
                deadline = asyncio.get_running_loop().time() + patience
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                detail = f"The body did not arrive within {patience:g} s."
                raise Problem(Kind.SLOW, detail, headers={"Connection": "close"}) from None
            whole = not message.get("more_body", False)
            return message

        await self.app(scope, in_time, send)
