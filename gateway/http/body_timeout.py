"""The time limit for the body of every request."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.auth import LOGIN
from gateway.api.limits import Limits
from gateway.api.problems import Kind, Problem


class BodyTimeout:
    """Raises Problem (408), where the body is read, when the body does not arrive in time."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, as ASGI defines it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # A client that signs in has no key yet, and sends one line.
        patience = self._limits.head if scope["path"] == LOGIN else self._limits.patience
        deadline: float | None = None
        whole = False

        async def in_time() -> Message:
            nonlocal deadline, whole
            if whole:  # what comes now is the disconnect, whenever it does
                return await receive()
            if deadline is None:  # from the first read on: before that, the gateway may make it wait for an upload slot
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
