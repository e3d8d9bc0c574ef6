"""Runs whose remaining work is to be dropped, as flow says it on `run.control`; every worker hears it."""

import asyncio
import contextlib
import time
from collections.abc import Iterator

from schemas.errors import RegistryAway, Undecodable
from streams.messages import Action
from streams.runtime.connections.connections import Connections
from streams.runtime.retrying import retry_until_available
from streams.wire import topics
from streams.wire.records import Record

_REMEMBERED = 2 * 3600.0
"""Seconds: tasks of a run that ended longer ago are dropped by its deadline, or do no harm."""


class Cancellations:
    """Knows which runs are aborted, and cancels what works for one when it hears of it."""

    def __init__(self, parts: Connections) -> None:
        self._parts = parts
        self._since: dict[str, float] = {}
        self._working: dict[str, set[asyncio.Task[object]]] = {}
        self._tail = parts.follow(topics.CONTROL, self._take, since=_REMEMBERED)

    async def start(self) -> None:
        """Reads what was said lately, and on."""
        await self._tail.start()

    async def stop(self) -> None:
        """Ends the reading."""
        await self._tail.stop()

    def __contains__(self, run: str) -> bool:
        return run in self._since

    @contextlib.contextmanager
    def watching(self, run: str, task: "asyncio.Task[object]") -> Iterator[None]:
        """While this lasts, an abort of the run cancels the task."""
        self._working.setdefault(run, set()).add(task)
        try:
            yield
        finally:
            self._working[run].discard(task)
            if not self._working[run]:
                del self._working[run]

    async def _take(self, record: Record) -> None:
        try:
            control = await retry_until_available(
                self._parts.outages, "registry", lambda: self._parts.wire.read_control(record), RegistryAway
            )
        except Undecodable:
            return  # flow, which answers for this topic, makes it a dead letter
        if control.action is not Action.ABORT:
            return
        self._since[control.run] = record.timestamp
        for task in self._working.get(control.run, ()):
            task.cancel()
        while self._since and next(iter(self._since.values())) < time.time() - _REMEMBERED:
            self._since.pop(next(iter(self._since)))
