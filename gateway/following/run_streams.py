"""Following one run: its events as SSE frames, from where a client stopped to the last one, and waiting for its result."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
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
"""Bytes of frames that are sent together, about."""
_RESERVED = 10
"""One slot in this many is kept from an address that has taken all others."""


class RunStreams:
    """Streams events and waits for results, within the limit on clients; one address gets most of the slots, not all."""

    def __init__(self, run_events: RunEvents, metrics: Metrics, limits: Limits) -> None:
        self._run_events = run_events
        self._metrics = metrics
        self._limits = limits
        self._most_per_client = limits.clients - limits.clients // _RESERVED
        self._per_client: Counter[str] = Counter()
        self.open = 0
        """Event streams that are open; waits for results are not counted."""

    def stop(self) -> None:
        """End every stream and every wait; clients come back with the last id that they have seen."""
        self._run_events.stop()

    def check_capacity(self, client: str) -> None:
        """Raise Problem (503) when there is no free slot for this client."""
        total = self._per_client.total()
        if total >= self._limits.clients:
            why = f"{total} clients follow runs or wait for results here"
        elif self._per_client[client] >= self._most_per_client:
            why = f"{self._per_client[client]} from your address follow runs or wait for results here"
        else:
            return
        detail = f"{why}, and that is the limit; come back, or use another gateway."
        raise Problem(Kind.BUSY, detail, headers={"Retry-After": "5"})

    @contextmanager
    def slot(self, client: str) -> Iterator[None]:
        """Take a slot of this client. Raises Problem (503)."""
        self.check_capacity(client)
        self._per_client[client] += 1
        try:
            yield
        finally:
            self._per_client[client] -= 1
            if not self._per_client[client]:
                del self._per_client[client]

    @contextmanager
    def _stream_slot(self, client: str) -> Iterator[None]:
        with self.slot(client):
            self.open += 1
            self._metrics.clients.set(self.open)
            try:
                yield
            finally:
                self.open -= 1
                self._metrics.clients.set(self.open)

    async def wait_for_end(self, buffer: RunBuffer, seconds: float, request: Request) -> dict[str, Any] | None:
        """Return the last event of a run for a client that waits, as `last_event` does. Raises Problem (503).

        None when the run continues, the gateway stops, or the client disconnects.
        """
        if buffer.ended or seconds <= 0:
            return await last_event(buffer, self._run_events, 0.0)
        with self.slot(client_of(request)):
            waiting = asyncio.ensure_future(last_event(buffer, self._run_events, seconds))
            gone = asyncio.ensure_future(sse.disconnected(request.receive))
            try:
                await asyncio.wait((waiting, gone), return_when=asyncio.FIRST_COMPLETED)
                return waiting.result() if waiting.done() else None
            finally:
                for task in (waiting, gone):
                    task.cancel()
                await asyncio.gather(waiting, gone, return_exceptions=True)

    async def response(
        self, run: str, client: str, after: int = -1, *, headers: Mapping[str, str] | None = None
    ) -> sse.EventStream:
        """Return the stream of a run's events past the id `after`. Raises Problem before it begins: 404, 503."""
        frames = self._frames(run, client, after)
        await anext(frames)  # whether there is such a run is known before the status is sent
        return sse.EventStream(frames, stall=self._limits.stall, headers=headers)

    async def _frames(self, run: str, client: str, after: int) -> AsyncIterator[bytes]:
        with self._stream_slot(client):
            async with self._run_events.open(run, current=False) as buffer:
                yield b""
                async for frames in self._follow(buffer, after):
                    yield frames

    async def _follow(self, buffer: RunBuffer, after: int) -> AsyncIterator[bytes]:
        position = buffer.position_after(after)
        while True:
            version = buffer.version
            batch = bytearray()
            while position < len(buffer.events) and len(batch) < _BATCH:
                event = buffer.events[position]
                body = await self._run_events.body(buffer, position)
                # The client may have come from a gateway that was ahead of this one.
                if body and event.sequence > after:
                    batch += sse.frame(event.kind.value, body, event.sequence)
                position += 1
            if batch:
                yield bytes(batch)
            elif buffer.ended or self._run_events.stopping:
                return
            elif not await buffer.changed(version, self._limits.ping):
                yield sse.PING


def client_of(request: Request) -> str:
    """Return the address by which a client's slots are counted."""
    return request.client.host if request.client else ""


async def last_event(buffer: RunBuffer, run_events: RunEvents, seconds: float) -> dict[str, Any] | None:
    """Return the event that ended a run, waiting for it up to `seconds`; None when the run continues or the gateway stops."""
    deadline = time.monotonic() + seconds
    while not buffer.ended:
        left = deadline - time.monotonic()
        if left <= 0 or run_events.stopping:
            return None
        await buffer.changed(buffer.version, left)
    event: dict[str, Any] = json.loads(await run_events.body(buffer, len(buffer.events) - 1) or b"{}")
    return {"event": buffer.events[-1].kind.value, **event}
