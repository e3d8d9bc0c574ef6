"""The runs that this gateway holds in memory, from the tail of run.events. No I/O here.

A run is complete, or is restored (see `run_events`) before it is read. Events are kept as they came and decoded only when they
are read. Memory is bounded: runs without readers are dropped first, oldest first; of runs with readers, the bodies of the
oldest events are dropped, and fetched again when they are needed.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from gateway.data.logged_event import LoggedEvent, parse_event, run_of
from gateway.following.run_buffer import RunBuffer
from streams.messages import EventKind
from streams.wire.records import Record

MARGIN = 30.0
"""Seconds: an accepted event this close to the start of the tail may be a repeated one, so the run may be incomplete."""
_FORGOTTEN = 50_000
"""Dropped runs whose ids are remembered, so that a repeated event does not look like their beginning."""
_EVENT = 500
"""Bytes that an event takes beside its body, with its share of its run, about."""


class RunCache:
    """Runs by id, least recently used first."""

    def __init__(self, budget: int) -> None:
        """`budget`: bytes of events to hold, about."""
        self._budget = budget
        self._buffers: OrderedDict[str, RunBuffer] = OrderedDict()
        self._threshold = budget
        self._forgotten: OrderedDict[str, tuple[int, int, float]] = OrderedDict()
        self._floors: dict[int, tuple[int, float]] = {}
        self._positions: dict[int, int] = {}
        self.size = 0

    def __len__(self) -> int:
        return len(self._buffers)

    def begin(self, partition: int, offset: int, since: float | None = None) -> None:
        """Set where the tail of a partition starts, and the time of that (epoch seconds; None: the time of its first record)."""
        self._floors[partition] = offset, math.inf if since is None else since
        self._positions[partition] = offset

    def position(self, partition: int) -> int:
        """Return the offset of the next record of a partition."""
        return self._positions.get(partition, 0)

    def reach(self, run: str, partition: int) -> int:
        """Return the offset from which on every event of this run is held."""
        return self.position(partition) if run in self._forgotten else self._floors.get(partition, (0, 0.0))[0]

    def get(self, run: str) -> RunBuffer | None:
        """Return the run, if it is held."""
        buffer = self._buffers.get(run)
        if buffer is not None:
            self._buffers.move_to_end(run)
        return buffer

    def add(self, record: Record) -> EventKind | None:
        """Add the next record of the tail. Returns the kind of a new event, None for a record that changes nothing."""
        partition = record.place.partition
        self._positions[partition] = record.offset + 1
        offset, since = self._floors.get(partition, (record.offset, math.inf))
        if since == math.inf:
            self._floors[partition] = offset, record.timestamp
        event = parse_event(record)
        run = run_of(record)
        if event is None or run is None:
            return None
        buffer = self._buffers.get(run) or self._open(run, event, record)
        if not buffer.accepts(event):
            return None
        self._append(buffer, event)
        self._buffers.move_to_end(run)
        buffer.notify()
        self._trim()
        return event.kind

    @contextmanager
    def hold(self, run: str, partition: int) -> Iterator[RunBuffer]:
        """Keep a run's buffer, created where it is missing, while it is read."""
        buffer = self.get(run)
        if buffer is None:
            buffer = self._buffers[run] = RunBuffer(run, partition, self.reach(run, partition))
        buffer.readers += 1
        try:
            yield buffer
        finally:
            buffer.readers -= 1
            if not buffer.events and not buffer.readers:
                self._buffers.pop(run, None)
            self._trim()

    def wake(self) -> None:
        """Wake every waiting reader, although no event has come."""
        for buffer in self._buffers.values():
            buffer.notify()

    def complete(self, buffer: RunBuffer, earlier: Iterable[LoggedEvent]) -> None:
        """Add the events before those that the buffer has, which completes it. Of repeated events the first one counts."""
        later, buffer.events, buffer.ids, buffer.ended = buffer.events, [], set(), False
        self.size -= buffer.size
        buffer.size = 0
        for event in sorted((*earlier, *later), key=lambda event: event.sequence):
            if buffer.accepts(event):
                self._append(buffer, event)
        buffer.whole = True
        buffer.notify()

    def decoded(self, buffer: RunBuffer, event: LoggedEvent, body: bytes) -> None:
        """Keep the JSON of an event in place of its record."""
        growth = len(body) - event.held_bytes
        event.body = body
        buffer.size += growth
        self.size += growth

    def _open(self, run: str, event: LoggedEvent, record: Record) -> RunBuffer:
        floor, since = self._floors[record.place.partition]
        new = run not in self._forgotten
        buffer = RunBuffer(run, record.place.partition, floor if new else record.offset)
        buffer.whole = new and (floor == 0 or (event.kind is EventKind.ACCEPTED and record.timestamp > since + MARGIN))
        self._buffers[run] = buffer
        return buffer

    def _append(self, buffer: RunBuffer, event: LoggedEvent) -> None:
        buffer.events.append(event)
        buffer.ids.add(event.id)
        growth = _EVENT + event.held_bytes
        buffer.size += growth
        self.size += growth
        buffer.ended = event.kind.terminal

    def _trim(self) -> None:
        if self.size <= self._threshold:
            return
        enough = self._budget * 0.9
        for buffer in [buffer for buffer in self._oldest() if not buffer.readers]:
            if self.size <= enough:
                break
            self._forget(buffer)
        for buffer in self._oldest():
            if self.size <= enough:
                break
            self._drop_bodies(buffer)
        # What cannot be dropped must not be searched for again at every further event.
        self._threshold = max(self._budget, int(self.size * 1.1))

    def _forget(self, buffer: RunBuffer) -> None:
        del self._buffers[buffer.run]
        self.size -= buffer.size
        self._forgotten[buffer.run] = buffer.partition, self.position(buffer.partition), time.time()
        while len(self._forgotten) > _FORGOTTEN:
            _, (partition, offset, when) = self._forgotten.popitem(last=False)
            if offset > self._floors[partition][0]:
                self._floors[partition] = offset, when

    def _oldest(self) -> list[RunBuffer]:
        return sorted(self._buffers.values(), key=lambda buffer: not buffer.ended)

    def _drop_bodies(self, buffer: RunBuffer) -> None:
        """Drop the bodies of a run's events, except the last one."""
        for event in buffer.events[:-1]:
            freed = event.held_bytes
            event.body = None
            buffer.size -= freed
            self.size -= freed
