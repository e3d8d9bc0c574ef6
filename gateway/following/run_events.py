"""The complete events of a run: from the cache, else from the history and the part of run.events between the two."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from gateway.api.problems import Kind, Problem
from gateway.data.interfaces import HistoryUnavailable, RunHistory
from gateway.following.event_log import MAX_SCAN, EventLog
from gateway.following.event_tail import EventTail
from gateway.following.run_buffer import RunBuffer
from gateway.following.run_cache import RunCache
from gateway.following.view import RunView
from schemas.errors import Undecodable
from streams.messages import EventKind
from streams.wire.records import Record

log = logging.getLogger(__name__)

_YIELD_EVERY = 200
"""Events that are folded before other calls get their turn."""
_REFETCHED = 200
"""Events whose bodies are fetched again together."""


class RunEvents:
    """Opens runs for reading."""

    def __init__(self, cache: RunCache, tail: EventTail, history: RunHistory, event_log: EventLog) -> None:
        self._cache = cache
        self._tail = tail
        self._history = history
        self._log = event_log
        self.stopping = False
        """Set when the gateway stops: calls that wait for an event answer with what there is."""

    @asynccontextmanager
    async def open(self, run: str, *, current: bool = True) -> AsyncIterator[RunBuffer]:
        """Lend the run, complete and growing while it is open; if `current`, with everything that has happened until now.

        Raises Problem: 404 when there is no such run, 503 when that cannot be known.
        """
        partition = self._tail.partition_of(run)
        with self._cache.hold(run, partition) as buffer:
            if not buffer.whole or (current and not buffer.ended):
                await self._tail.catch_up(partition)
            await self._complete(buffer)
            if not buffer.events:
                raise unknown(run)
            yield buffer

    @contextmanager
    def fresh(self, run: str) -> Iterator[None]:
        """Hold a run with a new id while it is submitted: all its events will come from the tail."""
        with self._cache.hold(run, self._tail.partition_of(run)) as buffer:
            buffer.whole = True
            yield

    async def arrives(self, run: str, seconds: float) -> bool:
        """Return whether any event of a run arrives within so many seconds."""
        with self._cache.hold(run, self._tail.partition_of(run)) as buffer:
            if not buffer.events:
                await buffer.changed(buffer.version, seconds)
            return bool(buffer.events)  # the change may be that the gateway stops

    def stop(self) -> None:
        """End every wait for events, now and from now on."""
        self.stopping = True
        self._cache.wake()

    async def exists(self, run: str) -> bool:
        """Return whether there is such a run. Raises Problem (503)."""
        try:
            async with self.open(run):
                return True
        except Problem as problem:
            if problem.kind is Kind.NOT_FOUND:
                return False
            raise

    async def view(self, buffer: RunBuffer) -> RunView:
        """Return the state of the run after its events so far. Raises Problem (503)."""
        view = RunView(buffer.run)
        for position in range(len(buffer.events)):
            body = await self.body(buffer, position)
            if body:
                view.fold((json.loads(body),))
            if position % _YIELD_EVERY == _YIELD_EVERY - 1:
                await asyncio.sleep(0)  # a run of many events must not hold up other calls
        return view

    async def body(self, buffer: RunBuffer, position: int) -> bytes:
        """Return the JSON of one of the buffer's events; b"" for a record that only looked like an event.

        Raises Problem (503) when it has to be fetched and cannot be.
        """
        event = buffer.events[position]
        if event.body is None:
            await self._refetch(buffer, position)
        if isinstance(event.body, Record):
            try:
                text = await self._log.decode(event.body)
            except Undecodable as error:
                log.warning("%s is not an event: %s", event.body.where, error)
                text = b""
            self._cache.decoded(buffer, event, text)
        assert isinstance(event.body, bytes)
        return event.body

    async def input(self, buffer: RunBuffer) -> Any:
        """Return the input of a run: of its first event or, where that omits it for its size, of flow's own event.

        None when neither is kept any longer. Raises Problem (503).
        """
        first = json.loads(await self.body(buffer, 0) or b"{}")
        if "input" in first:
            return first["input"]
        since = buffer.events[0].sequence + 1
        for event in await self._log.between(buffer.run, buffer.partition, since, since + MAX_SCAN):
            if event.kind is EventKind.ACCEPTED and isinstance(event.body, Record):
                accepted = json.loads(await self._log.decode(event.body))
                if "input" in accepted:
                    return accepted["input"]
        return None

    async def _complete(self, buffer: RunBuffer) -> None:
        """Restore a buffer that is not complete, once for all its readers. Raises Problem (503)."""
        if buffer.whole:
            return
        async with buffer.restoring:
            if not buffer.whole:
                await self._restore(buffer)

    async def _restore(self, buffer: RunBuffer) -> None:
        """Add the events before those that the tail has read. Raises Problem (503)."""
        accepted = bool(buffer.events) and buffer.events[0].kind is EventKind.ACCEPTED
        try:
            reach = await self._history.reach(buffer.partition)
            earlier = await self._history.events(buffer.run)
        except HistoryUnavailable as error:
            if accepted:  # almost certainly complete: no event of a run comes before its acceptance
                self._cache.complete(buffer, [])
                return
            raise Problem(
                Kind.UNAVAILABLE, f"{error}; whether there is a run {buffer.run} cannot be said now."
            ) from error
        if not (earlier and earlier[-1].kind.terminal):
            earlier += await self._log.between(buffer.run, buffer.partition, max(reach, 0), buffer.since)
        self._cache.complete(buffer, earlier)

    async def _refetch(self, buffer: RunBuffer, position: int) -> None:
        """Fetch the bodies of this and the next events again, from the history or from the log."""
        missing = {
            event.sequence: event for event in buffer.events[position : position + _REFETCHED] if event.body is None
        }
        first, last = min(missing), max(missing)
        try:
            fetched = await self._history.events(buffer.run, first - 1, 2 * _REFETCHED)
        except HistoryUnavailable:
            fetched = []
        if not fetched or fetched[-1].sequence < last:
            start = max(first, fetched[-1].sequence + 1 if fetched else 0)
            fetched += await self._log.between(buffer.run, buffer.partition, start, last + 1)
        for event in fetched:
            if event.sequence in missing:
                missing[event.sequence].body = event.body
        if buffer.events[position].body is None:
            raise Problem(
                Kind.UNAVAILABLE, "An older event of this run is no longer in the log and not in the history."
            )


def unknown(run: str) -> Problem:
    """Return the problem of a run that does not exist."""
    return Problem(Kind.NOT_FOUND, f"There is no run {run:.60}.")
