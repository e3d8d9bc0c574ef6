"""Following one run: its events as SSE frames, from where a client has stopped, to the last one."""

import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

from gateway import sse
from gateway.entry import Entry
from gateway.journal import Journal
from gateway.limits import Limits
from gateway.metrics import Metrics
from gateway.problems import Kind, Problem

_BATCH = 64 * 1024
"""Bytes of frames that are handed over together, about."""


class Streams:
    """Makes event streams, as many at once as the limits allow."""

    def __init__(self, journal: Journal, metrics: Metrics, limits: Limits) -> None:
        self._journal = journal
        self._metrics = metrics
        self._limits = limits
        self.open = 0

    def stop(self) -> None:
        """Ends every stream and every wait; clients come back, with the last id that they have seen."""
        self._journal.stop()

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self.open >= self._limits.clients:
            raise Problem(
                Kind.BUSY,
                f"{self.open} event streams are open here, and that is the limit; come back, or use another gateway.",
                headers={"Retry-After": "5"},
            )
        self.open += 1
        self._metrics.clients.set(self.open)
        try:
            yield
        finally:
            self.open -= 1
            self._metrics.clients.set(self.open)

    async def response(self, run: str, after: int = -1, *, status: int = 200, headers: Any = None) -> sse.EventStream:
        """The stream of a run's events past the id `after`. Raises Problem before it begins: 404, 503."""
        frames = self._frames(run, after)
        await anext(frames)  # whether there is such a run is known before the status is sent
        return sse.EventStream(frames, status=status, stall=self._limits.stall, headers=headers)

    async def _frames(self, run: str, after: int) -> AsyncIterator[bytes]:
        with self._place():
            async with self._journal.open(run, current=False) as entry:
                yield b""
                async for frames in self._follow(entry, after):
                    yield frames

    async def _follow(self, entry: Entry, after: int) -> AsyncIterator[bytes]:
        position = entry.after(after)
        while True:
            version = entry.version
            batch = bytearray()
            while position < len(entry.lines) and len(batch) < _BATCH:
                line = entry.lines[position]
                body = await self._journal.body(entry, position)
                # The client may have come from a gateway that was ahead of this one.
                if body and line.sequence > after:
                    batch += sse.frame(line.kind.value, body, line.sequence)
                position += 1
            if batch:
                yield bytes(batch)
            elif entry.ended or self._journal.stopping:
                return
            elif not await entry.changed(version, self._limits.ping):
                yield sse.PING


async def ended(entry: Entry, journal: Journal, seconds: float) -> dict[str, Any] | None:
    """The last event of a run, waiting for it up to so many seconds; None when it has not ended by then, or by a stop."""
    deadline = time.monotonic() + seconds
    while not entry.ended:
        left = deadline - time.monotonic()
        if left <= 0 or journal.stopping:
            return None
        await entry.changed(entry.version, left)
    event: dict[str, Any] = json.loads(await journal.body(entry, len(entry.lines) - 1) or b"{}")
    return {"event": entry.lines[-1].kind.value, **event}
