"""Acknowledgement in order: work of one partition runs concurrently, but offset n is settled only after all before it.

No Kafka and no Faust here: records are fed in, and whoever commits hears how far each partition is settled.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from streams.wire.records import Handler, Place, Record

log = logging.getLogger(__name__)

Settled = Callable[[Place, int], None]
"""Hears up to which offset, exclusive, a partition is done with."""
_BREAKING = 5.0
"""Seconds that work which is broken off gets to let go."""
_AGAIN = 0.5
"""Seconds until work that was broken off is begun again."""


@dataclass(slots=True)
class _Entry:
    record: Record
    done: bool = False


@dataclass(slots=True)
class _Lane:
    queue: deque[_Entry] = field(default_factory=deque)


class OrderedAcks:
    """The lanes of one consumer group member, one per partition and generation.

    `room` bounds the records in work; `depth` bounds the records of one partition that wait for an older one.
    """

    def __init__(self, handle: Handler, *, settled: Settled, room: int = 64, depth: int = 2000) -> None:
        self._handle = handle
        self._on_settled = settled
        self._depth = depth
        self._room = asyncio.Semaphore(room)
        self._moved = asyncio.Event()
        self._generation: object = None
        self._lanes: dict[Place, _Lane] = {}
        self._working: dict[tuple[Place, int], asyncio.Task[None]] = {}
        self.settled = 0
        """Records settled so far: what liveness watches."""

    @property
    def in_flight(self) -> int:
        """Records whose work has begun and not ended."""
        return len(self._working)

    def open(self, generation: object) -> None:
        """Begins a generation; lanes of the former one are closed."""
        self.close()
        self._generation = generation

    def close(self) -> None:
        """Ends the generation: nothing is settled any more. Work under way goes on, and is not begun anew if redelivered."""
        self._generation = None
        self._lanes.clear()
        self._moved.set()

    async def put(self, record: Record, generation: object) -> None:
        """Takes the next record of its partition; waits while too much is in work.

        A record of a generation that is over is dropped: its partition's new owner gets it.
        """
        if generation != self._generation:
            return
        await self._room.acquire()
        lane = self._lanes.setdefault(record.place, _Lane()) if generation == self._generation else _Lane()
        while len(lane.queue) >= self._depth and generation == self._generation:
            self._moved.clear()
            await self._moved.wait()
        if generation != self._generation:
            self._room.release()
            return
        entry = _Entry(record)
        lane.queue.append(entry)
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

    def _begin_work(self, lane: _Lane, entry: _Entry, generation: object) -> None:
        spot = entry.record.spot
        task = self._working.get(spot)
        if task is None:
            task = asyncio.ensure_future(self._work(entry.record))
            self._working[spot] = task
            task.add_done_callback(lambda _: self._working.pop(spot, None))
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
        last = None
        while lane.queue and lane.queue[0].done:
            last = lane.queue.popleft().record
            self.settled += 1
        if last is not None:
            self._on_settled(last.place, last.offset + 1)
            self._moved.set()

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
