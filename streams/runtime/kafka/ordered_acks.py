"""Acknowledgement in order: work of one partition runs concurrently, but an offset is settled only after all before it.

Knows neither Kafka nor Faust: records go in, and a callback gets the offset up to which each partition is settled.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from streams.wire.records import Handler, Place, Record

log = logging.getLogger(__name__)

Settled = Callable[[Place, int], None]
"""Is called with a partition and the offset, exclusive, up to which it is settled."""
DEPTH = 2000
"""Records of a partition that may wait for an older one, where nothing else is said."""
_BREAKING = 5.0
"""Seconds that cancelled work gets to end."""
_AGAIN = 0.5
"""Seconds until work that failed is started again."""


@dataclass(slots=True)
class _Entry:
    place: Place
    offset: int
    record: Record | None
    """None once it is done: it may wait long for an older one, and its value need not stay in memory."""

    @property
    def done(self) -> bool:
        """Whether its work has ended."""
        return self.record is None


_Queue = deque[_Entry]
"""The records of one partition that are not settled, in their order."""


class OrderedAcks:
    """Handles the records of one group member, with a queue for each partition of the present generation.

    `room`: records in work at once, at most; `depth`: records of one partition that wait for an older one, at most;
    `skips`: returns whether a record needs no work.
    """

    def __init__(
        self,
        handle: Handler,
        *,
        settled: Settled,
        room: int = 64,
        depth: int = DEPTH,
        skips: Callable[[Record], bool] = lambda _: False,
    ) -> None:
        self._handle = handle
        self._skips = skips
        self._on_settled = settled
        self._depth = depth
        self._room = asyncio.Semaphore(room)
        self._moved = asyncio.Event()
        """Set when a partition was settled further, or the generation ended."""
        self._generation: object = None
        self._queues: dict[Place, _Queue] = {}
        self._working: dict[tuple[Place, int], asyncio.Task[None]] = {}
        self.settled = 0
        """Records settled so far: liveness watches it."""

    @property
    def in_flight(self) -> int:
        """Records that are being handled."""
        return len(self._working)

    def open(self, generation: object) -> None:
        """Begin a generation, and end the former one."""
        self.close()
        self._generation = generation

    def close(self) -> None:
        """End the generation: nothing more is settled. Running work continues, and is not started again if redelivered."""
        self._generation = None
        self._queues.clear()
        self._moved.set()

    async def put(self, record: Record, generation: object) -> None:
        """Start to handle the next record of its partition; wait first while too much is in work.

        Drops a record of a generation that is over: its partition's next owner gets it.
        """
        if generation != self._generation:
            return
        skipped = self._skips(record)
        if not skipped:
            await self._room.acquire()
        queue = self._queues.setdefault(record.place, _Queue()) if generation == self._generation else _Queue()
        while len(queue) >= self._depth and generation == self._generation:
            self._moved.clear()
            await self._moved.wait()
        if generation != self._generation:
            if not skipped:
                self._room.release()
            return
        entry = _Entry(*record.spot, None if skipped else record)
        queue.append(entry)
        if skipped:
            self._advance(queue)
        else:
            self._start(queue, entry, record, generation)

    async def drain(self, patience: float) -> bool:
        """Wait at most `patience` seconds until no work is running. Returns whether that is so."""
        if self._working:
            await asyncio.wait(list(self._working.values()), timeout=patience)
        return not self._working

    async def break_off(self) -> None:
        """End the generation and cancel running work; the partition's next owner starts it again."""
        self.close()
        tasks = list(self._working.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_BREAKING)

    def working(self, partition: int) -> list[asyncio.Task[None]]:
        """List the running work on this partition of any topic."""
        return [task for (place, _), task in self._working.items() if place.partition == partition]

    def _start(self, queue: _Queue, entry: _Entry, record: Record, generation: object) -> None:
        spot = record.spot
        task = self._working.get(spot)  # of a former generation, and redelivered
        if task is None:
            task = asyncio.ensure_future(self._work(record))
            self._working[spot] = task
            task.add_done_callback(lambda _: self._working.pop(spot, None))
        task.add_done_callback(lambda done: self._finish(queue, entry, generation, done))

    async def _work(self, record: Record) -> None:
        await self._handle(record)

    def _finish(self, queue: _Queue, entry: _Entry, generation: object, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is not None:
            self._retry(queue, entry, generation, task)
            return
        self._room.release()
        entry.record = None
        if generation == self._generation:
            self._advance(queue)

    def _advance(self, queue: _Queue) -> None:
        """Settle the records of a partition up to the first that is not done."""
        last = None
        while queue and queue[0].done:
            last = queue.popleft()
            self.settled += 1
        if last is not None:
            self._on_settled(last.place, last.offset + 1)
            self._moved.set()

    def _retry(self, queue: _Queue, entry: _Entry, generation: object, task: asyncio.Task[None]) -> None:
        """Handle a record again later whose work failed or was cancelled, unless its generation is over."""
        if generation != self._generation:
            self._room.release()
            return
        if not task.cancelled() and entry.record is not None:
            log.warning("%s was not handled and is tried again: %r", entry.record.where, task.exception())
        loop = asyncio.get_running_loop()
        loop.call_later(_AGAIN, self._try_again, queue, entry, generation)

    def _try_again(self, queue: _Queue, entry: _Entry, generation: object) -> None:
        if generation == self._generation and entry.record is not None:
            self._start(queue, entry, entry.record, generation)
        else:
            self._room.release()
