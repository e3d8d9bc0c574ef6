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

from gateway.following.run_buffer import Entry, Line, run_of, to_line, weight
from streams.messages import EventKind
from streams.wire.records import Record

MARGIN = 30.0
"""Seconds: an accepted event this close to where the tail began may be a repeated one, so the run may not be whole."""
_FORGOTTEN = 50_000
"""Runs let go of whose ids are still known, so that a repeated event does not look like their beginning."""
_LINE = 500
"""Bytes that a line costs beside its body, and its share of what its run costs, about."""


class Index:
    """Runs by id, least recently used first."""

    def __init__(self, budget: int) -> None:
        """`budget`: bytes of events to hold, about."""
        self._budget = budget
        self._entries: OrderedDict[str, Entry] = OrderedDict()
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

    def get(self, run: str) -> Entry | None:
        """The run, if it is held."""
        entry = self._entries.get(run)
        if entry is not None:
            self._entries.move_to_end(run)
        return entry

    def add(self, record: Record) -> EventKind | None:
        """Takes in the next record of the tail. The kind of event when it is a new one of a run, else None."""
        partition = record.place.partition
        self._positions[partition] = record.offset + 1
        offset, since = self._floors.get(partition, (record.offset, math.inf))
        if since == math.inf:
            self._floors[partition] = offset, record.timestamp
        line = to_line(record)
        run = run_of(record)
        if line is None or run is None:
            return None
        entry = self._entries.get(run) or self._open(run, line, record)
        if not entry.takes(line):
            return None
        self._append(entry, line)
        self._entries.move_to_end(run)
        entry.notify()
        self._trim()
        return line.kind

    @contextmanager
    def hold(self, run: str, partition: int) -> Iterator[Entry]:
        """Keeps a run's entry (made if need be) while somebody reads it."""
        entry = self.get(run)
        if entry is None:
            entry = self._entries[run] = Entry(run, partition, self.reach(run, partition))
        entry.readers += 1
        try:
            yield entry
        finally:
            entry.readers -= 1
            if not entry.lines and not entry.readers:
                self._entries.pop(run, None)
            self._trim()

    def wake(self) -> None:
        """Wakes everybody who waits, though nothing has come."""
        for entry in self._entries.values():
            entry.notify()

    def complete(self, entry: Entry, earlier: Iterable[Line]) -> None:
        """Puts the events before those that the entry has; now it is whole. What came twice counts where it came first."""
        later, entry.lines, entry.ids, entry.ended = entry.lines, [], set(), False
        self.size -= entry.size
        entry.size = 0
        for line in sorted((*earlier, *later), key=lambda one: one.sequence):
            if entry.takes(line):
                self._append(entry, line)
        entry.whole = True
        entry.notify()

    def decoded(self, entry: Entry, line: Line, body: bytes) -> None:
        """Keeps the JSON of an event in place of its record."""
        grown = len(body) - weight(line)
        line.body = body
        entry.size += grown
        self.size += grown

    def _open(self, run: str, line: Line, record: Record) -> Entry:
        floor, since = self._floors[record.place.partition]
        new = run not in self._forgotten
        entry = Entry(run, record.place.partition, floor if new else record.offset)
        entry.whole = new and (floor == 0 or (line.kind is EventKind.ACCEPTED and record.timestamp > since + MARGIN))
        self._entries[run] = entry
        return entry

    def _append(self, entry: Entry, line: Line) -> None:
        entry.lines.append(line)
        entry.ids.add(line.id)
        grown = _LINE + weight(line)
        entry.size += grown
        self.size += grown
        entry.ended = line.kind.terminal

    def _trim(self) -> None:
        if self.size <= self._bar:
            return
        enough = self._budget * 0.9
        for entry in [one for one in self._oldest() if not one.readers]:
            if self.size <= enough:
                break
            self._forget(entry)
        for entry in self._oldest():
            if self.size <= enough:
                break
            self._shed(entry)
        # What cannot be let go of must not make every further event look for it again.
        self._bar = max(self._budget, int(self.size * 1.1))

    def _forget(self, entry: Entry) -> None:
        del self._entries[entry.run]
        self.size -= entry.size
        self._forgotten[entry.run] = entry.partition, self.position(entry.partition), time.time()
        while len(self._forgotten) > _FORGOTTEN:
            _, (partition, offset, when) = self._forgotten.popitem(last=False)
            if offset > self._floors[partition][0]:
                self._floors[partition] = offset, when

    def _oldest(self) -> list[Entry]:
        return sorted(self._entries.values(), key=lambda entry: not entry.ended)

    def _shed(self, entry: Entry) -> None:
        """Lets go of the bodies of a run's events, the last one excepted."""
        for line in entry.lines[:-1]:
            freed = weight(line)
            line.body = None
            entry.size -= freed
            self.size -= freed
