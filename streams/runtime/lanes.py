"""Acknowledgement in order: work of one partition runs concurrently, but offset n is acknowledged only after all before it.

No Kafka and no Faust here: records are fed in, acknowledgements are called.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from streams.records import Handler, Place, Record

log = logging.getLogger(__name__)

Ack = Callable[[], object]
Starts = Callable[[frozenset[Place]], Awaitable[Mapping[Place, int]]]
"""The offset at which each of these partitions is expected to begin in a new generation: committed, else the log's start."""
Rewind = Callable[[Place, int], Awaitable[None]]
"""Sends the client back, to read this partition from this offset."""
_TRIES = 5
_WAY_BACK = 3.0
"""Seconds that a client gets to go back."""
_BREAKING = 5.0
"""Seconds that work which is broken off gets to let go."""
_AGAIN = 0.5
"""Seconds until work that was broken off is begun again."""
Present = Callable[[Place, int, int], Awaitable[list[int]]]
"""The offsets in [start, stop) that really exist in the log."""


class LostRecords(RuntimeError):
    """The client passes over records that exist, and going back for them did not help."""


@dataclass(slots=True)
class _Entry:
    record: Record
    acks: list[Ack]
    done: bool = False


@dataclass(slots=True)
class _Lane:
    expected: int
    rewound: int = 0
    """How often the client was sent back to `expected` since that record came last."""
    until: float = 0.0
    """Until then records behind the hole are passed over: the client is on its way back."""
    queue: deque[_Entry] = field(default_factory=deque)
    waiting: dict[int, _Entry] = field(default_factory=dict)


class Lanes:
    """The lanes of one consumer group member, one per partition and generation.

    `room` bounds the records in work; `depth` bounds the records of one partition that wait for an older one.
    """

    def __init__(
        self,
        handle: Handler,
        *,
        starts: Starts,
        present: Present,
        rewind: Rewind,
        room: int = 64,
        depth: int = 2000,
    ) -> None:
        self._handle = handle
        self._starts = starts
        self._present = present
        self._rewind = rewind
        self._depth = depth
        self._room = asyncio.Semaphore(room)
        self._settled = asyncio.Event()
        self._generation: object = None
        self._lanes: dict[Place, _Lane] = {}
        self._begin: dict[Place, int] = {}
        self._working: dict[tuple[Place, int], asyncio.Task[None]] = {}
        self._crowded = 0
        """Records that wait for an older one of their partition before their work begins."""
        self.settled = 0
        """Records acknowledged so far: what liveness watches."""
        self.fed = 0

    @property
    def busy(self) -> bool:
        """Whether a record that came now would have to wait."""
        return self._room.locked() or self._crowded > 0

    def expected(self) -> dict[Place, int]:
        """The offset that comes next in each partition of this generation."""
        return {**self._begin, **{place: lane.expected for place, lane in self._lanes.items()}}

    @property
    def in_flight(self) -> int:
        """Records whose work has begun and not ended."""
        return len(self._working)

    async def open(self, generation: object, places: frozenset[Place]) -> None:
        """Begins a generation with these partitions; lanes of the former one are closed."""
        self.close()
        self._begin = dict(await self._starts(places))
        self._generation = generation

    def close(self) -> None:
        """Ends the generation: nothing is acknowledged any more. Work under way goes on, and is not begun anew if redelivered."""
        self._generation = None
        self._lanes.clear()
        self._begin.clear()
        self._settled.set()

    async def put(self, record: Record, generation: object, ack: Ack) -> None:
        """Takes a record; waits while too much is in work.

        A record of a generation that is over is dropped: its partition's new owner gets it. One that came before others
        that exist is dropped too, and the client is sent back for those. Raises LostRecords when that does not help.
        """
        if generation != self._generation:
            return
        lane = self._lane(record)
        if record.offset < lane.expected and self._again(lane, record, ack):
            return
        if record.offset > lane.expected and not await self._real_gap(lane, record):
            return
        lane.rewound = 0
        await self._room.acquire()
        self._crowded += 1
        try:
            while len(lane.queue) >= self._depth and generation == self._generation:
                self._settled.clear()
                await self._settled.wait()
        finally:
            self._crowded -= 1
        if generation != self._generation:
            self._room.release()
            return
        self.fed += 1
        lane.expected = record.offset + 1
        entry = _Entry(record, [ack])
        lane.queue.append(entry)
        lane.waiting[record.offset] = entry
        self._begin_work(lane, entry, generation)

    async def drain(self, patience: float) -> bool:
        """Waits at most `patience` seconds until no work is under way; whether that came."""
        if self._working:
            await asyncio.wait(list(self._working.values()), timeout=patience)
        return not self._working

    async def break_off(self) -> None:
        """Closes the lanes and ends the work under way, wherever it stands; whoever has its partition next begins it anew."""
        self.close()
        left = list(self._working.values())
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=_BREAKING)

    def working(self, partition: int) -> list[asyncio.Task[None]]:
        """The work under way on this partition of any topic."""
        return [task for (place, _), task in self._working.items() if place.partition == partition]

    def _lane(self, record: Record) -> _Lane:
        lane = self._lanes.get(record.place)
        if lane is None:
            lane = _Lane(self._begin.get(record.place, record.offset))
            if record.offset < lane.expected:  # the topic was made anew, or an operator moved the group back
                log.warning("%s lies before the group's offset %s: starting there", record.where, lane.expected)
                lane.expected = record.offset
            self._lanes[record.place] = lane
        return lane

    @staticmethod
    def _again(lane: _Lane, record: Record, ack: Ack) -> bool:
        """A record that this lane has had: acknowledged with the first delivery, or at once when that is settled."""
        entry = lane.waiting.get(record.offset)
        if entry is None:
            ack()
        else:
            entry.acks.append(ack)
        return True

    async def _real_gap(self, lane: _Lane, record: Record) -> bool:
        """Whether nothing is missing before this record: what is not there was never, or is there no more."""
        now = time.monotonic()
        if now < lane.until:
            return False
        skipped = await self._present(record.place, lane.expected, record.offset)
        if not skipped:
            return True
        if lane.rewound >= _TRIES:
            raise LostRecords(
                f"{record.where} came where {lane.expected} was expected; {len(skipped)} records between exist (first "
                f"{skipped[0]}) and did not come in {_TRIES} tries"
            )
        lane.rewound += 1
        lane.until = now + _WAY_BACK
        log.warning("%s came where %s was expected: going back for what is between", record.where, lane.expected)
        await self._rewind(record.place, lane.expected)
        return False

    def _begin_work(self, lane: _Lane, entry: _Entry, generation: object) -> None:
        place = (entry.record.place, entry.record.offset)
        task = self._working.get(place)
        if task is None:
            task = asyncio.ensure_future(self._work(entry.record))
            self._working[place] = task
            task.add_done_callback(lambda _: self._working.pop(place, None))
        task.add_done_callback(lambda done: self._finish(lane, entry, generation, done))

    async def _work(self, record: Record) -> None:
        await self._handle(record)

    def _finish(self, lane: _Lane, entry: _Entry, generation: object, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is not None:
            self._unfinished(lane, entry, generation, task)
            return
        self._room.release()
        entry.done = True
        if generation != self._generation:
            return
        while lane.queue and lane.queue[0].done:
            settled = lane.queue.popleft()
            del lane.waiting[settled.record.offset]
            for ack in settled.acks:
                ack()
            self.settled += 1
        self._settled.set()

    def _unfinished(self, lane: _Lane, entry: _Entry, generation: object, task: asyncio.Task[None]) -> None:
        """Work that ended without an end: it was of a former generation, or the worker stops, or something is broken."""
        if generation != self._generation:
            self._room.release()
            return
        if not task.cancelled():
            log.warning("%s was not handled and is tried again: %r", entry.record.where, task.exception())
        loop = asyncio.get_running_loop()
        loop.call_later(_AGAIN, self._try_again, lane, entry, generation)

    def _try_again(self, lane: _Lane, entry: _Entry, generation: object) -> None:
        if generation == self._generation:
            self._begin_work(lane, entry, generation)
        else:
            self._room.release()
