"""Timers of runs: many, most of which are dropped before they are due."""

import asyncio
import contextlib
import heapq
import itertools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from streams.messages import StopSignal

_SLACK = 1000
"""Dropped timers that may stay in the heap, beside as many as there are live ones."""


@dataclass(order=True, slots=True)
class _Entry:
    at: float
    number: int
    run: str = field(compare=False)
    stop: StopSignal = field(compare=False)


class Timers:
    """Calls `due` with each StopSignal at its time (epoch seconds), unless its run was dropped before."""

    def __init__(self, due: Callable[[StopSignal], Awaitable[None]], clock: Callable[[], float] = time.time) -> None:
        self._due = due
        self._clock = clock
        self._heap: list[_Entry] = []
        self._live: dict[str, list[_Entry]] = {}
        self._count = 0
        self._numbers = itertools.count()
        self._sooner = asyncio.Event()

    def __len__(self) -> int:
        return self._count

    def set(self, run: str, at: float, stop: StopSignal) -> None:
        """Add a timer; adding the same one again changes nothing."""
        entries = self._live.setdefault(run, [])
        if any(entry.stop == stop and entry.at <= at for entry in entries):
            return
        entry = _Entry(at, next(self._numbers), run, stop)
        entries.append(entry)
        self._count += 1
        heapq.heappush(self._heap, entry)
        if self._heap[0] is entry:
            self._sooner.set()

    def drop(self, run: str) -> None:
        """Drop every timer of a run."""
        self._count -= len(self._live.pop(run, ()))
        if len(self._heap) > 2 * self._count + _SLACK:
            self._heap = [entry for entries in self._live.values() for entry in entries]
            heapq.heapify(self._heap)

    async def run(self) -> None:
        """Fire timers until cancelled."""
        while True:
            self._sooner.clear()
            wait = self._heap[0].at - self._clock() if self._heap else None
            if wait is None or wait > 0:
                await self._wait(wait)
                continue
            entry = heapq.heappop(self._heap)
            if self._take(entry):
                await self._due(entry.stop)

    async def _wait(self, seconds: float | None) -> None:
        """Wait so long (None: without a limit), or until a timer is set that is due before all others."""
        # Not `wait_for`: before Python 3.12 it may swallow a cancellation.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._sooner.wait()

    def _take(self, entry: _Entry) -> bool:
        """Remove a timer from the live ones. False when its run was dropped."""
        entries = self._live.get(entry.run)
        if entries is None or entry not in entries:
            return False
        entries.remove(entry)
        self._count -= 1
        if not entries:
            del self._live[entry.run]
        return True
