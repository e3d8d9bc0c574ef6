"""Offsets without a group membership: where partitions begin and end, what a group has committed, and the records between.

What the cluster does not know at the moment is an error, never an answer: a partition that is missing in an answer, or a
coordinator that is still loading, does not mean that there is nothing.
"""

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from aiokafka.errors import KafkaConnectionError
from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams.kafka_settings import Brokers
from streams.runtime.kafka import client
from streams.runtime.kafka.reading.batch import Batch
from streams.runtime.kafka.reading.reader import PartitionReader
from streams.wire.records import Place, Record
from streams.wire.topics import READERS

T = TypeVar("T")

log = logging.getLogger(__name__)

_TIMEOUT = 10.0
"""Seconds for an answer."""
_REPLACE_AFTER = 3.0
"""Seconds without an answer after which the next failure replaces the client."""
_TOGETHER = 4
"""Questions that wait for an answer at once, at most."""
_LATEST, _EARLIEST = -1, -2
"""In place of a time: the end of a log, and its start (the values in Kafka's protocol)."""
_PAUSE = 0.02
"""Seconds that reading a few records waits for its client to be closed, at most."""


class Offsets:
    """A connection for questions about offsets and records. Every method raises KafkaError when the cluster does not answer."""

    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers
        self._consumer: Consumer | None = None
        self._failing_since: float | None = None
        """When the first question failed since the last answer (monotonic seconds); None after an answer."""
        self._threads = ThreadPoolExecutor(_TOGETHER, thread_name_prefix="offsets")
        """The client's questions block."""

    async def start(self) -> None:
        """Connect."""
        self._consumer = self._new_client()
        await self._ask(functools.partial(self._consumer.list_topics, timeout=_TIMEOUT))

    async def stop(self) -> None:
        """Close the connection."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            self._threads.submit(consumer.close)
        self._threads.shutdown(wait=False)

    async def beginnings(self, places: Iterable[Place]) -> dict[Place, int]:
        """Look up the first offset that each partition still has."""
        return _known(await self._offsets(places, _EARLIEST))

    async def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """Look up the end of each partition: the offset of the next record, or of the first of a transaction that is still open."""
        return _known(await self._offsets(places, _LATEST))

    async def since(self, places: Iterable[Place], moment: float) -> dict[Place, int | None]:
        """Look up the first offset of each partition with a record from this moment (epoch seconds) on; None without any."""
        offsets = await self._offsets(places, max(0, int(moment * 1000)))
        return {place: offset if offset >= 0 else None for place, offset in offsets.items()}

    async def partitions(self, topic: str) -> frozenset[Place]:
        """List the partitions of a topic. Raises KafkaError when the topic does not exist."""
        metadata = await self._ask(functools.partial(self._client.list_topics, topic, _TIMEOUT))
        known = metadata.topics[topic]
        if known.error is not None:
            raise client.as_ours(KafkaException(known.error))
        return frozenset(Place(topic, number) for number in known.partitions)

    async def committed(self, group: str, places: Iterable[Place]) -> dict[Place, int]:
        """Look up the next offset that a group has to read; partitions where it never committed are left out."""
        wanted = [TopicPartition(*place) for place in places]
        if not wanted:
            return {}
        offsets = _complete(await self._ask(functools.partial(self._committed, group, wanted)), wanted)
        return {place: offset for place, offset in offsets.items() if offset >= 0}

    async def starts(self, group: str, places: frozenset[Place]) -> Mapping[Place, int]:
        """Look up where the group's next generation begins in each partition: the committed offset, or the log's start."""
        committed = await self.committed(group, places)
        beginnings = await self.beginnings(places - committed.keys())
        return {**committed, **beginnings}

    async def behind(self, group: str, places: Iterable[Place]) -> dict[Place, range]:
        """Look up the offsets of each partition that the group has not committed yet."""
        places = list(places)
        starts, ends = await asyncio.gather(self.starts(group, frozenset(places)), self.ends(places))
        return {place: range(starts[place], max(starts[place], ends[place])) for place in places}

    async def lag(self, group: str, places: Iterable[Place]) -> dict[Place, int]:
        """Count the records of each partition that the group has not committed yet: its lag."""
        return {place: len(offsets) for place, offsets in (await self.behind(group, places)).items()}

    async def has_records(self, place: Place, start: int, stop: int) -> bool:
        """Look whether any record exists in [start, stop)."""
        async with contextlib.aclosing(self.records(place, start, stop)) as records:
            async for _ in records:
                return True
        return False

    async def read(self, place: Place, start: int, stop: int) -> list[Record]:
        """Read the records with start ≤ offset < stop that exist."""
        return [record async for record in self.records(place, start, stop)]

    async def records(self, place: Place, start: int = 0, stop: int | None = None) -> AsyncGenerator[Record, None]:
        """Yield the records that `read` returns, with a consumer of their own; `stop` None: up to the log's present end."""
        firsts, ends = await asyncio.gather(self.beginnings([place]), self.ends([place]))
        start, stop = max(start, firsts[place]), ends[place] if stop is None else min(stop, ends[place])
        if start >= stop:
            return
        reader = PartitionReader(self._brokers, f"{place.topic}/{place.partition}", {place: start}, pause=_PAUSE)
        await reader.start()
        try:
            over = False
            while not over:
                batch = await _next(reader)
                over = place in batch.ends or (bool(batch.records) and batch.records[-1].offset + 1 >= stop)
                for record in [record for record in batch.records if start <= record.offset < stop]:
                    yield record
        finally:
            await reader.stop()

    async def _offsets(self, places: Iterable[Place], moment: int) -> dict[Place, int]:
        wanted = [TopicPartition(*place, moment) for place in places]
        if not wanted:
            return {}
        return _complete(await self._ask(functools.partial(self._client.offsets_for_times, wanted, _TIMEOUT)), wanted)

    def _committed(self, group: str, wanted: list[TopicPartition]) -> list[TopicPartition]:
        # A client asks for one group only. The administrative client could ask for any, but librdkafka 2.16 aborts the process
        # when a coordinator answers it that it is still loading.
        consumer = client.consumer(self._brokers, {"group.id": group})
        try:
            return consumer.committed(wanted, timeout=_TIMEOUT)
        finally:
            consumer.close()

    async def _ask(self, question: Callable[[], T]) -> T:
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._threads, question)
        except KafkaException as error:
            self._replace_if_failing()
            raise client.as_ours(error) from error
        except RuntimeError as error:  # the client or the threads are closed
            raise KafkaConnectionError(str(error)) from error
        self._failing_since = None
        return answer

    def _replace_if_failing(self) -> None:
        """Replace a client that has failed for a while.

        After a broker stood still, librdkafka 2.16 sometimes answered "unknown partition" or "all broker connections are down"
        for good, although the broker was back. The old client is closed when the last question to it ends.
        """
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        elif now - self._failing_since > _REPLACE_AFTER and self._consumer is not None:
            log.info("asking the cluster with a new client")
            self._consumer = self._new_client()
            self._failing_since = None

    def _new_client(self) -> Consumer:
        return client.consumer(self._brokers, {"group.id": READERS})

    @property
    def _client(self) -> Consumer:
        if self._consumer is None:
            raise KafkaConnectionError("the connection is closed")
        return self._consumer


async def _next(reader: PartitionReader) -> Batch:
    try:
        async with asyncio.timeout(_TIMEOUT):
            return await reader.next()
    except TimeoutError:
        raise KafkaConnectionError(f"{reader.name} could not be read: no answer") from None


def _complete(answer: Iterable[TopicPartition], wanted: Iterable[TopicPartition]) -> dict[Place, int]:
    """Take the offsets of an answer. Raises KafkaError when a partition that was asked for is missing in it."""
    offsets: dict[Place, int] = {}
    for partition in answer:
        if partition.error is not None:
            raise client.as_ours(KafkaException(partition.error))
        offsets[Place(partition.topic, partition.partition)] = partition.offset
    asked = [Place(partition.topic, partition.partition) for partition in wanted]
    missing = [place for place in asked if place not in offsets]
    if missing:
        raise KafkaConnectionError(f"{missing[0].topic}/{missing[0].partition} is not in the answer")
    return offsets


def _known(offsets: dict[Place, int]) -> dict[Place, int]:
    for place, offset in offsets.items():
        if offset < 0:  # the time in the question came back: no broker answered for this partition
            raise KafkaConnectionError(f"no broker knows the offsets of {place.topic}/{place.partition}")
    return offsets
