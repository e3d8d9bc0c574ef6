"""Slots for bodies that are not small: a limited number is read at once, and a stalled body gives way to others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request
from starlette.types import Message

from gateway.api.limits import Limits
from gateway.api.problems import Kind, Problem


class UploadSlots:
    """The upload slots of one gateway."""

    def __init__(self, limits: Limits) -> None:
        self._slots = asyncio.Semaphore(limits.uploads)
        self._pause = limits.pause
        self.waiting = 0

    @asynccontextmanager
    async def slot(self, request: Request) -> AsyncIterator[Request]:
        """Wait for a slot; lend the request, whose body raises Problem (408) when it stalls while others wait."""
        self.waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self.waiting -= 1
        try:
            yield Request(request.scope, lambda: self._next(request))
        finally:
            self._slots.release()

    async def _next(self, request: Request) -> Message:
        while True:
            try:
                async with asyncio.timeout(self._pause):
                    return await request.receive()
            except TimeoutError:
                if self.waiting:
                    raise Problem(
                        Kind.SLOW,
                        f"Nothing of the body came for {self._pause:g} s, and others wait.",
                        headers={"Connection": "close"},
                    ) from None
