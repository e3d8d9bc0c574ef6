"""A lock that many may hold together, or one holder alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class SharedExclusiveLock:
    """A fair shared-exclusive lock: an exclusive holder waits for the shared ones inside, and later shared ones wait for it."""

    def __init__(self) -> None:
        self._inside = 0
        self._waiting = 0
        self._alone = asyncio.Lock()
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        """Run beside other shared holders."""
        if self._waiting:
            async with self._changed:
                await self._changed.wait_for(lambda: not self._waiting)
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            if self._waiting:
                await self._notify()

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Run alone."""
        self._waiting += 1
        try:
            async with self._alone:
                async with self._changed:
                    await self._changed.wait_for(lambda: not self._inside)
                yield
        finally:
            self._waiting -= 1
            await self._notify()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()
