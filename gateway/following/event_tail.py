"""Reading run.events live into the cache: from a bounded look-back on, then as events come."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from aiokafka.errors import KafkaError

from gateway.api.limits import Limits
from gateway.following.event_log import log_unavailable
from gateway.following.run_cache import RunCache
from streams.background import ended
from streams.messages import EventKind
from streams.runtime.kafka.offsets import Offsets
from streams.runtime.kafka.partitioner import partition_of
from streams.runtime.kafka.reading.batch import Batch
from streams.runtime.retrying import delays
from streams.wire.records import Place, Record

log = logging.getLogger(__name__)

_TIMEOUT = 10.0
"""Seconds that a request waits for the log at most."""

EventListener = Callable[[Record, EventKind], None]
"""Called for every new event that came after the start."""


class BatchReader(Protocol):
    """Reads partitions in batches; see `streams.runtime.kafka.reader`."""

    async def start(self) -> None:
        """Begin to read. Raises KafkaError."""

    async def stop(self) -> None:
        """End the reading."""

    async def next(self) -> Batch:
        """Return the next batch. Raises KafkaError when nothing more will come."""


OpenReader = Callable[[str, Mapping[Place, int]], BatchReader]
"""Makes a reader of a topic that begins at these offsets."""


class EventTail:
    """Adds every record of run.events to the cache. During an outage of Kafka it tries again from where it was."""

    def __init__(
        self,
        topic: str,
        cache: RunCache,
        offsets: Offsets,
        open_reader: OpenReader,
        limits: Limits,
        listener: EventListener | None = None,
    ) -> None:
        self._topic = topic
        self._cache = cache
        self._offsets = offsets
        self._open_reader = open_reader
        self._limits = limits
        self._listener = listener
        self._task: asyncio.Task[None] | None = None
        self._next: dict[int, int] = {}
        self._live: dict[int, int] = {}
        self._moved = asyncio.Condition()
        self.ready = asyncio.Event()
        """Set once everything that the topic held when the connection was made is in the cache."""

    @property
    def positions(self) -> dict[int, int]:
        """The offset of the next record of each partition, as far as it has been read here."""
        return dict(self._next)

    def partition_of(self, run: str) -> int:
        """Return the partition of run.events that holds a run's events. Raises Problem (503) while that is unknown."""
        if not self._live:
            raise log_unavailable()
        return partition_of(run, len(self._live))

    def start(self) -> None:
        """Begin to read in the background."""
        self._task = asyncio.create_task(self._run(), name="tail of run.events")

    async def stop(self) -> None:
        """Stop reading."""
        await ended(self._task)

    async def reach(self, partition: int, offset: int) -> None:
        """Wait until every record before this offset is in the cache. Raises Problem (503) when that takes too long."""
        try:
            async with asyncio.timeout(_TIMEOUT), self._moved:
                await self._moved.wait_for(lambda: self._next.get(partition, -1) >= offset)
        except TimeoutError:
            raise log_unavailable() from None

    async def catch_up(self, partition: int) -> None:
        """Wait until everything that the partition holds at this moment is in the cache. Raises Problem (503)."""
        place = Place(self._topic, partition)
        try:
            async with asyncio.timeout(_TIMEOUT):
                await self.ready.wait()
                end = (await self._offsets.ends([place]))[place]
        except (TimeoutError, KafkaError):
            raise log_unavailable() from None
        await self.reach(partition, end)

    async def _run(self) -> None:
        waits = delays()
        while True:
            try:
                await self._read()
            except (KafkaError, OSError) as error:
                log.warning("reading %s failed (%s): trying again", self._topic, error or type(error).__name__)
            except Exception:  # a gateway that receives nothing must log it and try again, not stop silently
                log.exception("reading %s failed: trying again", self._topic)
            finally:
                self.ready.clear()
            await asyncio.sleep(next(waits))

    async def _read(self) -> None:
        starts, ends = await self._range()
        reader = self._open_reader(self._topic, starts)
        await reader.start()
        try:
            await self._follow(reader, ends)
        finally:
            await reader.stop()

    async def _follow(self, reader: BatchReader, ends: Mapping[int, int]) -> None:
        while True:
            if not self.ready.is_set() and all(self._next[partition] >= end for partition, end in ends.items()):
                self.ready.set()
            batch = await reader.next()
            for record in batch.records:
                if record.unreadable:
                    log.error("%s is skipped: %s", record.where, record.unreadable)
                else:
                    self._add(record)
                self._next[record.place.partition] = record.offset + 1
            for place, end in batch.ends.items():
                # Past a gap that retention left there are no records to come.
                self._next[place.partition] = max(self._next[place.partition], end)
            async with self._moved:
                self._moved.notify_all()

    def _add(self, record: Record) -> None:
        kind = self._cache.add(record)
        if kind is not None and self._listener is not None and record.offset >= self._live[record.place.partition]:
            self._listener(record, kind)

    async def _range(self) -> tuple[dict[Place, int], dict[int, int]]:
        """Return the offset at which to read on in each partition, and the one at which it ends now."""
        places = await self._offsets.partitions(self._topic)
        ends, firsts = await self._offsets.ends(places), await self._offsets.beginnings(places)
        timed = await self._offsets.since(places, time.time() - self._limits.lookback)
        for place in places:
            partition, end, recent = place.partition, ends[place], timed[place]
            if partition not in self._next:
                start = max(firsts[place], end if recent is None else recent, end - self._limits.lookback_records)
                self._cache.begin(partition, start, time.time() if start == end else None)
                self._next[partition], self._live[partition] = start, end
        starts = {place: self._next[place.partition] for place in places}
        return starts, {place.partition: end for place, end in ends.items()}
