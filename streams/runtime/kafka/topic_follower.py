"""Following a whole topic without a group: how each process keeps its own copy of a small topic."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from aiokafka.errors import KafkaError

from streams.background import ended
from streams.kafka_settings import Brokers
from streams.runtime.kafka.offsets import Offsets
from streams.runtime.kafka.reading.reader import PartitionReader
from streams.runtime.retrying import delays
from streams.wire.records import Place, Record

log = logging.getLogger(__name__)


class TopicFollower:
    """Calls `take` with every record of a topic, from its start (or from `since` seconds ago), then as they come.

    `ready` is set once every record that the topic had at the start is taken. A record may be taken twice after a lost
    connection; `take` must not raise.
    """

    def __init__(
        self, brokers: Brokers, topic: str, take: Callable[[Record], Awaitable[None]], *, since: float | None = None
    ) -> None:
        self._brokers = brokers
        self._topic = topic
        self._take = take
        self._since = since
        self.ready = asyncio.Event()
        self.advanced = asyncio.Condition()
        """Notified after records were taken."""
        self._task: asyncio.Task[None] | None = None
        self._next: dict[Place, int] = {}

    async def start(self) -> None:
        """Start to read, and return when the topic's present end is reached."""
        self._task = asyncio.create_task(self._run(), name=f"follower of {self._topic}")
        ready = asyncio.create_task(self.ready.wait())
        await asyncio.wait({ready, self._task}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self._task.done():
            self._task.result()

    async def stop(self) -> None:
        """Stop reading."""
        await ended(self._task)

    async def _run(self) -> None:
        waits = delays()
        while True:
            try:
                await self._read()
            except (KafkaError, OSError) as error:
                log.warning("reading %s failed (%s): trying again", self._topic, error)
                await asyncio.sleep(next(waits))

    async def _read(self) -> None:
        starts, ends = await self._range()
        reader = PartitionReader(self._brokers, self._topic, starts)
        await reader.start()
        try:
            unfinished = {place for place, start in starts.items() if start < ends[place]}
            while True:
                if not unfinished:
                    self.ready.set()
                batch = await reader.next()
                await self._take_all(batch.records)
                # A log may end with offsets that no record has.
                unfinished = {
                    place for place in unfinished - batch.ends.keys() if self._next.get(place, 0) < ends[place]
                }
        finally:
            await reader.stop()

    async def _take_all(self, records: Sequence[Record]) -> None:
        for record in records:
            if record.unreadable:
                log.error("skipping %s: %s", record.where, record.unreadable)
            else:
                await self._take(record)
            self._next[record.place] = record.offset + 1
        if records:
            async with self.advanced:
                self.advanced.notify_all()

    async def _range(self) -> tuple[dict[Place, int], dict[Place, int]]:
        """Look up the offset from which to read each partition, and its present end."""
        offsets = Offsets(self._brokers)
        await offsets.start()
        try:
            places = await offsets.partitions(self._topic)
            starts, ends = await asyncio.gather(offsets.beginnings(places), offsets.ends(places))
            if self._since is not None and not self._next:
                firsts = await offsets.since(places, time.time() - self._since)
                starts = {place: ends[place] if (first := firsts[place]) is None else first for place in places}
            return {place: max(start, self._next.get(place, 0)) for place, start in starts.items()}, ends
        finally:
            await offsets.stop()
