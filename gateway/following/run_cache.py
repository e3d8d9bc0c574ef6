"""The runs that this gateway holds in memory: what the tail of run.events said of them. No I/O here.

A run is held whole, or it is restored (see `journal`) before anybody reads it. Events are kept as they came and
decoded only when somebody asks. Memory is bounded: runs nobody reads go first, oldest first; of runs that somebody
reads, the bodies of the oldest events go, and are fetched again when they are needed.
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
"""Seconds: an accepted event this close to where the tail began may be a repeated one, so the run may not be whole."""
_FORGOTTEN = 50_000
"""Runs let go of whose ids are still known, so that a repeated event does not look like their beginning."""
_LINE = 500
"""Bytes that a line costs beside its body, and its share of what its run costs, about."""


class RunCache:
    """Runs by id, least recently used first."""

    def __init__(self, budget: int) -> None:
        """`budget`: bytes of events to hold, about."""
        self._budget = budget
        self._entries: OrderedDict[str, RunBuffer] = OrderedDict()
        self._bar = budget
        self._forgotten: OrderedDict[str, tuple[int, int, float]] = OrderedDict()
        self._floors: dict[int, tuple[int, float]] = {}
        self._positions: dict[int, int] = {}
        self.size = 0

    def __len__(self) -> int:
        return len(self._entries)

    def begin(self, partition: int, offset: int, since: float | None = None) -> None:
        """Says where the tail of a partition starts, and when that is (epoch seconds; None: as its first record says)."""
        self._floors[partition] = offset, math.inf if since is None else since
        self._positions[partition] = offset

    def position(self, partition: int) -> int:
        """The next offset that is to come."""
        return self._positions.get(partition, 0)

    def reach(self, run: str, partition: int) -> int:
        """The offset from which on an event of this run would be here, were there any."""
        return self.position(partition) if run in self._forgotten else self._floors.get(partition, (0, 0.0))[0]

    def get(self, run: str) -> RunBuffer | None:
        """The run, if it is held."""
        buffer = self._entries.get(run)
        if buffer is not None:
            self._entries.move_to_end(run)
        return buffer

    def add(self, record: Record) -> EventKind | None:
        """Takes in the next record of the tail. The kind of event when it is a new one of a run, else None."""
        partition = record.place.partition
        self._positions[partition] = record.offset + 1
        offset, since = self._floors.get(partition, (record.offset, math.inf))
        if since == math.inf:
            self._floors[partition] = offset, record.timestamp
        line = parse_event(record)
        run = run_of(record)
        if line is None or run is None:
            return None
        buffer = self._entries.get(run) or self._open(run, line, record)
        if not buffer.accepts(line):
            return None
        self._append(buffer, line)
        self._entries.move_to_end(run)
        buffer.notify()
        self._trim()
        return line.kind

    @contextmanager
    def hold(self, run: str, partition: int) -> Iterator[RunBuffer]:
        """Keeps a run's buffer (made if need be) while somebody reads it."""
        buffer = self.get(run)
        if buffer is None:
            buffer = self._entries[run] = RunBuffer(run, partition, self.reach(run, partition))
        buffer.readers += 1
        try:
            yield buffer
        finally:
            buffer.readers -= 1
            if not buffer.events and not buffer.readers:
                self._entries.pop(run, None)
            self._trim()

    def wake(self) -> None:
        """Wakes everybody who waits, though nothing has come."""
        for buffer in self._entries.values():
            buffer.notify()

    def complete(self, buffer: RunBuffer, earlier: Iterable[LoggedEvent]) -> None:
        """Puts the events before those that the buffer has; now it is whole. What came twice counts where it came first."""
        later, buffer.events, buffer.ids, buffer.ended = buffer.events, [], set(), False
        self.size -= buffer.size
        buffer.size = 0
        for line in sorted((*earlier, *later), key=lambda one: one.sequence):
            if buffer.accepts(line):
                self._append(buffer, line)
        buffer.whole = True
        buffer.notify()

    def decoded(self, buffer: RunBuffer, line: LoggedEvent, body: bytes) -> None:
        """Keeps the JSON of an event in place of its record."""
        grown = len(body) - line.held_bytes
        line.body = body
        buffer.size += grown
        self.size += grown

    def _open(self, run: str, line: LoggedEvent, record: Record) -> RunBuffer:
        floor, since = self._floors[record.place.partition]
        new = run not in self._forgotten
        buffer = RunBuffer(run, record.place.partition, floor if new else record.offset)
        buffer.whole = new and (floor == 0 or (line.kind is EventKind.ACCEPTED and record.timestamp > since + MARGIN))
        self._entries[run] = buffer
        return buffer

    def _append(self, buffer: RunBuffer, line: LoggedEvent) -> None:
        buffer.events.append(line)
        buffer.ids.add(line.id)
        grown = _LINE + line.held_bytes
        buffer.size += grown
        self.size += grown
        buffer.ended = line.kind.terminal

    def _trim(self) -> None:
        if self.size <= self._bar:
            return
        enough = self._budget * 0.9
        for buffer in [one for one in self._oldest() if not one.readers]:
            if self.size <= enough:
                break
            self._forget(buffer)
        for buffer in self._oldest():
            if self.size <= enough:
                break
            self._shed(buffer)
        # What cannot be let go of must not make every further event look for it again.
        self._bar = max(self._budget, int(self.size * 1.1))

    def _forget(self, buffer: RunBuffer) -> None:
        del self._entries[buffer.run]
        self.size -= buffer.size
        self._forgotten[buffer.run] = buffer.partition, self.position(buffer.partition), time.time()
        while len(self._forgotten) > _FORGOTTEN:
            _, (partition, offset, when) = self._forgotten.popitem(last=False)
            if offset > self._floors[partition][0]:
                self._floors[partition] = offset, when

    def _oldest(self) -> list[RunBuffer]:
        return sorted(self._entries.values(), key=lambda buffer: not buffer.ended)

    def _shed(self, buffer: RunBuffer) -> None:
        """Lets go of the bodies of a run's events, the last one excepted."""
        for line in buffer.events[:-1]:
            freed = line.held_bytes
            line.body = None
            buffer.size -= freed
            self.size -= freed
