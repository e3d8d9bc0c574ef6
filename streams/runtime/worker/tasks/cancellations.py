"""Runs that are cancelled: flow announces them on `run.control`, which every worker follows."""

import asyncio
import contextlib
import time
from collections.abc import Iterator

from schemas.errors import RegistryUnavailable, Undecodable
from streams.messages import Action
from streams.runtime.connections.connections import Connections
from streams.runtime.retrying import retry_until_available
from streams.wire import topics
from streams.wire.records import Record

_REMEMBERED = 2 * 3600.0
"""Seconds that a cancelled run is remembered: later tasks of it are dropped by its deadline, or do no harm."""


class Cancellations:
    """The runs that were cancelled lately. Cancels the work of a run when it is cancelled."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._cancelled_at: dict[str, float] = {}
        """Run → epoch seconds, in the order of the topic."""
        self._working: dict[str, set[asyncio.Task[object]]] = {}
        self._follower = connections.follow(topics.CONTROL, self._take, since=_REMEMBERED)

    async def start(self) -> None:
        """Read the recent part of the topic to its end, and go on following it."""
        await self._follower.start()

    async def stop(self) -> None:
        """Stop following the topic."""
        await self._follower.stop()

    def __contains__(self, run: str) -> bool:
        return run in self._cancelled_at

    @contextlib.contextmanager
    def watching(self, run: str, task: "asyncio.Task[object]") -> Iterator[None]:
        """Cancel the task if its run is cancelled within this block."""
        self._working.setdefault(run, set()).add(task)
        try:
            yield
        finally:
            self._working[run].discard(task)
            if not self._working[run]:
                del self._working[run]

    async def _take(self, record: Record) -> None:
        connections = self._connections
        try:
            control = await retry_until_available(
                connections.outages, "registry", lambda: connections.wire.read_control(record), RegistryUnavailable
            )
        except Undecodable:
            return  # flow, which is responsible for this topic, makes it a dead letter
        if control.action is not Action.ABORT:
            return
        self._cancelled_at[control.run] = record.timestamp
        for task in self._working.get(control.run, ()):
            task.cancel()
        while self._cancelled_at and next(iter(self._cancelled_at.values())) < time.time() - _REMEMBERED:
            self._cancelled_at.pop(next(iter(self._cancelled_at)))
