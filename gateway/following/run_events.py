"""The events of a run, whole: from the index, else from the history and from what of run.events lies between the two."""

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from aiokafka.errors import KafkaError

from gateway.api.problems import Kind, Problem
from gateway.data.history import History, HistoryUnavailable
from gateway.data.logged_event import LoggedEvent, parse_event, run_of
from gateway.following.event_tail import EventTail
from gateway.following.run_buffer import RunBuffer
from gateway.following.run_cache import RunCache
from schemas.errors import Undecodable
from streams.kafka_settings import Brokers
from streams.runtime.kafka.offsets import Offsets
from streams.wire.records import Place, Record

Decode = Callable[[Record], Awaitable[bytes]]
"""The JSON of an event's record."""
PartitionOf = Callable[[str], int]
"""The partition of run.events that a run's events are in."""

log = logging.getLogger(__name__)

_MOST = 200_000
"""Records of one partition that are read to restore one run, at most."""
_STEP = 5_000


class RunEvents:
    """Opens runs for reading."""

    def __init__(
        self,
        index: RunCache,
        tail: EventTail,
        store: History,
        brokers: Brokers,
        topic: str,
        partition_of: PartitionOf,
        decode: Decode,
    ) -> None:
        self._index = index
        self._tail = tail
        self._store = store
        self._brokers = brokers
        self._topic = topic
        self._partition_of = partition_of
        self._decode = decode
        self.stopping = False
        """Set when the gateway stops: who waits for an event answers with what there is."""

    @asynccontextmanager
    async def open(self, run: str, *, current: bool = True) -> AsyncIterator[RunBuffer]:
        """The run, whole and growing while it is open here; if `current`, with all that has happened until now.

        Raises Problem: 404 for no such run, 503 when nobody can know.
        """
        partition = self._partition_of(run)
        with self._index.hold(run, partition) as buffer:
            if not buffer.whole or (current and not buffer.ended):
                await self._tail.catch_up(partition)
            if not buffer.whole:
                async with buffer.restoring:
                    if not buffer.whole:
                        await self._restore(buffer)
            if not buffer.events:
                raise unknown(run)
            yield buffer

    @contextmanager
    def fresh(self, run: str) -> Iterator[None]:
        """While a run is made here, of an id that nobody had before: there is nothing of it but what the tail will bring."""
        with self._index.hold(run, self._partition_of(run)) as buffer:
            buffer.whole = True
            yield

    async def heard(self, run: str, seconds: float) -> bool:
        """Whether anything is said of a run within so many seconds."""
        with self._index.hold(run, self._partition_of(run)) as buffer:
            if not buffer.events:
                await buffer.changed(buffer.version, seconds)
            return bool(buffer.events)  # a change may be that the gateway stops

    def stop(self) -> None:
        """Says that nobody is to wait for events here any more, and wakes who does."""
        self.stopping = True
        self._index.wake()

    async def find(self, run: str) -> bool:
        """Whether there is such a run already. Raises Problem (503)."""
        try:
            async with self.open(run):
                return True
        except Problem as problem:
            if problem.kind is Kind.NOT_FOUND:
                return False
            raise

    async def body(self, buffer: RunBuffer, position: int) -> bytes:
        """The JSON of one of the buffer's events; nothing for a record that only looked like one.

        Raises Problem (503) when it has to be fetched and cannot be.
        """
        line = buffer.events[position]
        if line.body is None:
            await self._refetch(buffer, position)
        if isinstance(line.body, Record):
            try:
                made = await self._decode(line.body)
            except Undecodable as error:
                log.warning("%s is no event: %s", line.body.where, error)
                made = b""
            self._index.decoded(buffer, line, made)
        assert isinstance(line.body, bytes)
        return line.body

    async def input(self, buffer: RunBuffer) -> Any:
        """The input of a run, from its first event or, where that leaves it out for its size, from flow's own.

        None when neither is there any more. Raises Problem (503).
        """
        first = json.loads(await self.body(buffer, 0) or b"{}")
        if "input" in first:
            return first["input"]
        since = buffer.events[0].sequence + 1
        for line in await self._between(buffer, since, since + _MOST):
            if line.kind.value == "run.accepted" and isinstance(line.body, Record):
                told = json.loads(await self._decode(line.body))
                if "input" in told:
                    return told["input"]
        return None

    async def _restore(self, buffer: RunBuffer) -> None:
        """Completes an buffer with what came before the tail saw the run."""
        accepted = bool(buffer.events) and buffer.events[0].kind.value == "run.accepted"
        try:
            reach = await self._store.reach(buffer.partition)
            earlier = await self._store.events(buffer.run)
        except HistoryUnavailable as error:
            if accepted:  # all but certainly whole: nothing of a run comes before it
                self._index.complete(buffer, [])
                return
            raise Problem(Kind.AWAY, f"{error}; whether there is a run {buffer.run} cannot be said now.") from error
        if not (earlier and earlier[-1].kind.terminal):
            earlier += await self._between(buffer, max(reach, 0), buffer.since)
        self._index.complete(buffer, earlier)

    async def _between(self, buffer: RunBuffer, start: int, stop: int) -> list[LoggedEvent]:
        """The run's events with start ≤ offset < stop, read from the log itself."""
        if start >= stop:
            return []
        found: list[LoggedEvent] = []
        probe = Offsets(self._brokers)
        place = Place(self._topic, buffer.partition)
        try:
            await probe.start()
            start = max(start, (await probe.beginnings([place]))[place], stop - _MOST)
            for low in range(start, stop, _STEP):
                for record in await probe.read(place, low, min(stop, low + _STEP)):
                    line = parse_event(record) if run_of(record) == buffer.run else None
                    if line is not None:
                        found.append(line)
        except (KafkaError, OSError) as error:
            raise self._tail.away() from error
        finally:
            await probe.stop()
        return found

    async def _refetch(self, buffer: RunBuffer, position: int) -> None:
        """Gives the bodies of this and the next events back, from the history or from the log."""
        wanted = {line.sequence: line for line in buffer.events[position : position + 200] if line.body is None}
        first, last = min(wanted), max(wanted)
        try:
            found = await self._store.events(buffer.run, first - 1, 400)
        except HistoryUnavailable:
            found = []
        if not found or found[-1].sequence < last:
            found += await self._between(buffer, max(first, found[-1].sequence + 1 if found else 0), last + 1)
        for line in found:
            if line.sequence in wanted:
                wanted[line.sequence].body = line.body
        if buffer.events[position].body is None:
            raise Problem(Kind.AWAY, "An older event of this run is no longer in the log and not in the history.")


def unknown(run: str) -> Problem:
    """The problem of a run that does not exist."""
    return Problem(Kind.NOT_FOUND, f"There is no run {run:.60}.")
