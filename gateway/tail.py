"""Reading run.events live into the index: from a bounded look-back, then as events come."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from gateway.index import Index
from gateway.problems import Kind, Problem
from streams.brokers import Brokers
from streams.messages import EventKind
from streams.records import Place, Record
from streams.runtime.backoff import delays
from streams.runtime.probe import Probe, record_of

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
        index: Index,
        probe: Probe,
        *,
        lookback: float,
        most: int,
        seen: Seen | None = None,
    ) -> None:
        """`lookback`: seconds; `most`: records of each partition, at most.

        The `probe` must not be one that fetches: a broker answers a connection's requests one after another, so that a
        question would wait behind a fetch that waits for records.
        """
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

    def start(self) -> None:
        """Begins to read, in the background."""
        self._task = asyncio.create_task(self._run(), name="tail of run.events")

    async def stop(self) -> None:
        """Stops reading."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

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
        consumer = AIOKafkaConsumer(
            self._topic,
            **self._brokers.aiokafka(),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=500,
            max_poll_records=2000,
        )
        try:
            await consumer.start()
            ends = await self._assign(consumer)
            await self._follow(consumer, ends)
        finally:
            await consumer.stop()

    async def _follow(self, consumer: AIOKafkaConsumer, ends: dict[int, int]) -> None:
        while True:
            if not self.ready.is_set() and all(self._next[number] >= end for number, end in ends.items()):
                self.ready.set()
            batches = await consumer.getmany(timeout_ms=1000)
            for place, records in batches.items():
                for record in records:
                    self._take(record_of(record))
                self._next[place.partition] = records[-1].offset + 1
            for place in consumer.assignment():
                # Past a gap that retention left there are no records to come.
                self._next[place.partition] = max(self._next[place.partition], await consumer.position(place))
            async with self._moved:
                self._moved.notify_all()

    def _take(self, record: Record) -> None:
        kind = self._index.add(record)
        if kind is not None and self._seen is not None and record.offset >= self._live[record.place.partition]:
            self._seen(record, kind)

    async def _assign(self, consumer: AIOKafkaConsumer) -> dict[int, int]:
        """Seeks in every partition; the offset at which each ends now."""
        places = sorted(consumer.assignment())
        # Subscribed only to learn the partitions: an assignment of one's own is never changed behind one's back.
        consumer.unsubscribe()
        consumer.assign(places)
        ends, firsts = await consumer.end_offsets(places), await consumer.beginning_offsets(places)
        since = time.time() - self._lookback
        timed = await consumer.offsets_for_times(dict.fromkeys(places, int(since * 1000)))
        for place in places:
            number, end, first = place.partition, ends[place], firsts[place]
            if number not in self._next:
                found = timed[place]
                start = max(first, found.offset if found else end, end - self._most)
                self._index.begin(number, start, time.time() if start == end else None)
                self._next[number], self._live[number] = start, end
            consumer.seek(place, self._next[number])
        return {place.partition: ends[place] for place in places}
