"""Reading run.events live into the index: from a bounded look-back, then as events come."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from aiokafka.errors import KafkaError

from gateway.api.problems import Kind, Problem
from gateway.following.run_cache import RunCache
from streams.background import ended
from streams.kafka_settings import Brokers
from streams.messages import EventKind
from streams.runtime.kafka.offsets import Offsets
from streams.runtime.kafka.reading.reader import PartitionReader
from streams.runtime.retrying import delays
from streams.wire.records import Place, Record

log = logging.getLogger(__name__)

_PATIENCE = 10.0
"""Seconds that a request waits for the log at most."""

Seen = Callable[[Record, EventKind], None]
"""Told of every new event that came after the start."""


class EventTail:
    """Feeds the index with every record of run.events; survives a broker that is away, from where it was."""

    def __init__(
        self,
        brokers: Brokers,
        topic: str,
        index: RunCache,
        probe: Offsets,
        *,
        lookback: float,
        most: int,
        seen: Seen | None = None,
    ) -> None:
        """`lookback`: seconds; `most`: records of each partition, at most."""
        self._brokers = brokers
        self._topic = topic
        self._index = index
        self._probe = probe
        self._lookback = lookback
        self._most = most
        self._seen = seen
        self._task: asyncio.Task[None] | None = None
        self._next: dict[int, int] = {}
        self._live: dict[int, int] = {}
        self._moved = asyncio.Condition()
        self.ready = asyncio.Event()
        """Set while everything that stood in the topic when the connection was made has been taken in."""

    @property
    def partitions(self) -> int:
        """The partition count of the topic; 0 while it is not known."""
        return len(self._live)

    @property
    def positions(self) -> dict[int, int]:
        """The offset that the next record of each partition will have, as far as it has been read here."""
        return dict(self._next)

    def start(self) -> None:
        """Begins to read, in the background."""
        self._task = asyncio.create_task(self._run(), name="tail of run.events")

    async def stop(self) -> None:
        """Stops reading."""
        await ended(self._task)

    async def reach(self, partition: int, offset: int) -> None:
        """Returns when everything before this offset has been taken in. Raises Problem (503) when that takes too long."""
        try:
            async with asyncio.timeout(_PATIENCE), self._moved:
                await self._moved.wait_for(lambda: self._next.get(partition, -1) >= offset)
        except TimeoutError:
            raise self.away() from None

    async def catch_up(self, partition: int) -> None:
        """Returns when everything that is in the partition at this moment has been taken in. Raises Problem (503)."""
        place = Place(self._topic, partition)
        try:
            async with asyncio.timeout(_PATIENCE):
                await self.ready.wait()
                end = (await self._probe.ends([place]))[place]
        except (TimeoutError, KafkaError):
            raise self.away() from None
        await self.reach(partition, end)

    @staticmethod
    def away() -> Problem:
        """The problem of a log that cannot be read."""
        return Problem(Kind.AWAY, "The log of events (Kafka) does not answer; try again.", headers={"Retry-After": "2"})

    async def _run(self) -> None:
        waits = delays()
        while True:
            try:
                await self._read()
            except (KafkaError, OSError) as error:
                log.warning("reading %s failed (%s): trying again", self._topic, error or type(error).__name__)
            except Exception:  # a gateway that hears nothing must say so and try, not die in silence
                log.exception("reading %s failed: trying again", self._topic)
            finally:
                self.ready.clear()
            await asyncio.sleep(next(waits))

    async def _read(self) -> None:
        starts, ends = await self._starts()
        reader = PartitionReader(self._brokers, self._topic, starts)
        await reader.start()
        try:
            await self._follow(reader, ends)
        finally:
            await reader.stop()

    async def _follow(self, reader: PartitionReader, ends: Mapping[int, int]) -> None:
        while True:
            if not self.ready.is_set() and all(self._next[number] >= end for number, end in ends.items()):
                self.ready.set()
            batch = await reader.next()
            for record in batch.records:
                if record.unreadable:
                    log.error("%s is passed over: %s", record.where, record.unreadable)
                else:
                    self._take(record)
                self._next[record.place.partition] = record.offset + 1
            for place, end in batch.ends.items():
                # Past a gap that retention left there are no records to come.
                self._next[place.partition] = max(self._next[place.partition], end)
            async with self._moved:
                self._moved.notify_all()

    def _take(self, record: Record) -> None:
        kind = self._index.add(record)
        if kind is not None and self._seen is not None and record.offset >= self._live[record.place.partition]:
            self._seen(record, kind)

    async def _starts(self) -> tuple[dict[Place, int], dict[int, int]]:
        """Where to read on in every partition, and the offset at which each ends now."""
        places = await self._probe.partitions(self._topic)
        ends, firsts = await self._probe.ends(places), await self._probe.beginnings(places)
        since = time.time() - self._lookback
        timed = await self._probe.since(places, since)
        for place in places:
            number, end, first, found = place.partition, ends[place], firsts[place], timed[place]
            if number not in self._next:
                start = max(first, end if found is None else found, end - self._most)
                self._index.begin(number, start, time.time() if start == end else None)
                self._next[number], self._live[number] = start, end
        return {place: self._next[place.partition] for place in places}, {one.partition: ends[one] for one in places}
