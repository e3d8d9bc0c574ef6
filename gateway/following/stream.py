"""Following one run: its events as SSE frames, from where a client has stopped, to the last one."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

from starlette.requests import Request

from gateway.api.limits import Limits
from gateway.api.problems import Kind, Problem
from gateway.following.run_buffer import RunBuffer
from gateway.following.run_events import RunEvents
from gateway.http import sse
from gateway.monitoring.metrics import Metrics

_BATCH = 64 * 1024
"""Bytes of frames that are handed over together, about."""
_SHARE = 10
"""One of so many places is kept from an address that has all others."""


class RunStreams:
    """Makes event streams, and waits for results: as many at once as the limits allow, of which one address gets most, not all."""

    def __init__(self, journal: RunEvents, metrics: Metrics, limits: Limits) -> None:
        self._journal = journal
        self._metrics = metrics
        self._limits = limits
        self._most_of_one = limits.clients - limits.clients // _SHARE
        self._of_one: Counter[str] = Counter()
        self.open = 0
        """Event streams; who waits for a result is not counted here."""

    def stop(self) -> None:
        """Ends every stream and every wait; clients come back, with the last id that they have seen."""
        self._journal.stop()

    def room(self, client: str) -> None:
        """Raises Problem (503) when there is no place for one more of this client."""
        here = self._of_one.total()
        if here >= self._limits.clients:
            why = f"{here} clients follow runs or wait for results here"
        elif self._of_one[client] >= self._most_of_one:
            why = f"{self._of_one[client]} from your address follow runs or wait for results here"
        else:
            return
        detail = f"{why}, and that is the limit; come back, or use another gateway."
        raise Problem(Kind.BUSY, detail, headers={"Retry-After": "5"})

    @contextmanager
    def _place(self, client: str) -> Iterator[None]:
        self.room(client)
        self._of_one[client] += 1
        try:
            yield
        finally:
            self._of_one[client] -= 1
            if not self._of_one[client]:
                del self._of_one[client]

    @contextmanager
    def _stream(self, client: str) -> Iterator[None]:
        with self._place(client):
            self.open += 1
            self._metrics.clients.set(self.open)
            try:
                yield
            finally:
                self.open -= 1
                self._metrics.clients.set(self.open)

    async def ended(self, buffer: RunBuffer, seconds: float, request: Request) -> dict[str, Any] | None:
        """The last event of a run that a client waits for, as `ended` gives it; None for one that goes. Raises Problem (503)."""
        if buffer.ended or seconds <= 0:
            return await ended(buffer, self._journal, 0.0)
        with self._place(client_of(request)):
            waiting = asyncio.ensure_future(ended(buffer, self._journal, seconds))
            gone = asyncio.ensure_future(sse.disconnected(request.receive))
            try:
                await asyncio.wait((waiting, gone), return_when=asyncio.FIRST_COMPLETED)
                return waiting.result() if waiting.done() else None
            finally:
                for task in (waiting, gone):
                    task.cancel()
                await asyncio.gather(waiting, gone, return_exceptions=True)

    async def response(
        self, run: str, client: str, after: int = -1, *, status: int = 200, headers: Any = None
    ) -> sse.EventStream:
        """The stream of a run's events past the id `after`. Raises Problem before it begins: 404, 503."""
        frames = self._frames(run, client, after)
        await anext(frames)  # whether there is such a run is known before the status is sent
        return sse.EventStream(frames, status=status, stall=self._limits.stall, headers=headers)

    async def _frames(self, run: str, client: str, after: int) -> AsyncIterator[bytes]:
        with self._stream(client):
            async with self._journal.open(run, current=False) as buffer:
                yield b""
                async for frames in self._follow(buffer, after):
                    yield frames

    async def _follow(self, buffer: RunBuffer, after: int) -> AsyncIterator[bytes]:
        position = buffer.position_after(after)
        while True:
            version = buffer.version
            batch = bytearray()
            while position < len(buffer.events) and len(batch) < _BATCH:
                line = buffer.events[position]
                body = await self._journal.body(buffer, position)
                # The client may have come from a gateway that was ahead of this one.
                if body and line.sequence > after:
                    batch += sse.frame(line.kind.value, body, line.sequence)
                position += 1
            if batch:
                yield bytes(batch)
            elif buffer.ended or self._journal.stopping:
                return
            elif not await buffer.changed(version, self._limits.ping):
                yield sse.PING


def client_of(request: Request) -> str:
    """Who asks, as far as a place is concerned: the address."""
    return request.client.host if request.client else ""


async def ended(buffer: RunBuffer, journal: RunEvents, seconds: float) -> dict[str, Any] | None:
    """The last event of a run, waiting for it up to so many seconds; None when it has not ended by then, or by a stop."""
    deadline = time.monotonic() + seconds
    while not buffer.ended:
        left = deadline - time.monotonic()
        if left <= 0 or journal.stopping:
            return None
        await buffer.changed(buffer.version, left)
    event: dict[str, Any] = json.loads(await journal.body(buffer, len(buffer.events) - 1) or b"{}")
    return {"event": buffer.events[-1].kind.value, **event}
