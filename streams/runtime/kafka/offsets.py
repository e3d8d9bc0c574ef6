"""Questions to the cluster that need no group membership: where partitions begin and end, what a group has committed.

What the cluster does not know at the moment is an error, and never an answer: a partition that is missing in an answer, or a
coordinator that is still loading, does not mean that there is nothing.
"""

import asyncio
import contextlib
import functools
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from aiokafka.errors import KafkaConnectionError
from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams.kafka_settings import Brokers
from streams.runtime.kafka import client
from streams.runtime.kafka.reader import PartitionReader
from streams.wire.records import Place, Record
from streams.wire.topics import READERS

T = TypeVar("T")

_TIMEOUT = 10.0
"""Seconds for an answer."""
_TOGETHER = 4
"""Questions that wait for an answer at once."""
_LATEST, _EARLIEST = -1, -2
"""Instead of a moment: where a log can be read up to, and where it begins (the values that Kafka's protocol uses)."""
_PAUSE = 0.02
"""Seconds that whoever wanted a few records waits for the client to be closed, at most."""


class Offsets:
    """One connection for such questions. Every method raises KafkaError when the cluster does not answer."""

    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers
        self._consumer: Consumer | None = None
        self._threads = ThreadPoolExecutor(_TOGETHER, thread_name_prefix="offsets")
        """The client's questions block."""

    async def start(self) -> None:
        """Connects."""
        self._consumer = client.consumer(self._brokers, {"group.id": READERS})
        await self._ask(functools.partial(self._consumer.list_topics, timeout=_TIMEOUT))

    async def stop(self) -> None:
        """Closes the connection."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            self._threads.submit(consumer.close)
        self._threads.shutdown(wait=False)

    async def beginnings(self, places: Iterable[Place]) -> dict[Place, int]:
        """The first offset that each partition still has."""
        return _known(await self._offsets(places, _EARLIEST))

    async def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """Where each partition can be read up to: before the first record of a transaction that is still open."""
        return _known(await self._offsets(places, _LATEST))

    async def since(self, places: Iterable[Place], moment: float) -> dict[Place, int | None]:
        """The first offset of each partition whose record is not older than this (epoch seconds); None when there is none."""
        found = await self._offsets(places, max(0, int(moment * 1000)))
        return {place: offset if offset >= 0 else None for place, offset in found.items()}

    async def partitions(self, topic: str) -> frozenset[Place]:
        """The partitions of a topic. Raises KafkaError when there is none of that name."""
        metadata = await self._ask(functools.partial(self._client.list_topics, topic, _TIMEOUT))
        found = metadata.topics[topic]
        if found.error is not None:
            raise client.as_ours(KafkaException(found.error))
        return frozenset(Place(topic, number) for number in found.partitions)

    async def committed(self, group: str, places: Iterable[Place]) -> dict[Place, int]:
        """The next offset that the group has to read, for those partitions where it has ever committed."""
        wanted = [TopicPartition(*place) for place in places]
        if not wanted:
            return {}
        found = _complete(await self._ask(functools.partial(self._committed, group, wanted)), wanted)
        return {place: offset for place, offset in found.items() if offset >= 0}

    async def starts(self, group: str, places: frozenset[Place]) -> Mapping[Place, int]:
        """Where the group's next generation begins in each partition: committed, or the log's start."""
        committed = await self.committed(group, places)
        beginnings = await self.beginnings(places - committed.keys())
        return {**committed, **beginnings}

    async def behind(self, group: str, places: Iterable[Place]) -> dict[Place, range]:
        """The offsets that the group has not committed yet, of each partition."""
        places = list(places)
        starts, ends = await asyncio.gather(self.starts(group, frozenset(places)), self.ends(places))
        return {place: range(starts[place], max(starts[place], ends[place])) for place in places}

    async def lag(self, group: str, places: Iterable[Place]) -> dict[Place, int]:
        """How many these are."""
        return {place: len(offsets) for place, offsets in (await self.behind(group, places)).items()}

    async def found(self, place: Place, start: int, stop: int) -> bool:
        """Whether any record exists in [start, stop)."""
        async with contextlib.aclosing(self.records(place, start, stop)) as records:
            async for _ in records:
                return True
        return False

    async def read(self, place: Place, start: int, stop: int) -> list[Record]:
        """The records with start ≤ offset < stop that exist."""
        return [record async for record in self.records(place, start, stop)]

    async def records(self, place: Place, start: int = 0, stop: int | None = None) -> AsyncGenerator[Record, None]:
        """The same one after another, read with a consumer of its own; without `stop` to the log's present end."""
        firsts, ends = await asyncio.gather(self.beginnings([place]), self.ends([place]))
        start, stop = max(start, firsts[place]), ends[place] if stop is None else min(stop, ends[place])
        if start >= stop:
            return
        reader = PartitionReader(self._brokers, f"{place.topic}/{place.partition}", {place: start}, pause=_PAUSE)
        await reader.start()
        try:
            while True:
                async with asyncio.timeout(_TIMEOUT):
                    batch = await reader.next()
                for record in batch.records:
                    if record.offset >= stop:
                        return
                    if record.offset >= start:
                        yield record
                if place in batch.ends or (batch.records and batch.records[-1].offset + 1 >= stop):
                    return
        except TimeoutError:
            raise KafkaConnectionError(f"{place.topic}/{place.partition} could not be read: no answer") from None
        finally:
            await reader.stop()

    async def _offsets(self, places: Iterable[Place], moment: int) -> dict[Place, int]:
        wanted = [TopicPartition(*place, moment) for place in places]
        if not wanted:
            return {}
        return _complete(await self._ask(functools.partial(self._client.offsets_for_times, wanted, _TIMEOUT)), wanted)

    def _committed(self, group: str, wanted: list[TopicPartition]) -> list[TopicPartition]:
        # A client speaks for one group only. The administrative client would not, but librdkafka 2.16 ends the process when a
        # coordinator tells that one "I am still loading".
        consumer = client.consumer(self._brokers, {"group.id": group})
        try:
            return consumer.committed(wanted, timeout=_TIMEOUT)
        finally:
            consumer.close()

    async def _ask(self, question: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, question)
        except KafkaException as error:
            raise client.as_ours(error) from error
        except RuntimeError as error:  # the client or the threads are closed
            raise KafkaConnectionError(str(error)) from error

    @property
    def _client(self) -> Consumer:
        if self._consumer is None:
            raise KafkaConnectionError("the connection is closed")
        return self._consumer


def _complete(answer: Iterable[TopicPartition], wanted: Iterable[TopicPartition]) -> dict[Place, int]:
    """The offsets of an answer. Raises KafkaError when it does not speak of each partition that was asked for."""
    found: dict[Place, int] = {}
    for one in answer:
        if one.error is not None:
            raise client.as_ours(KafkaException(one.error))
        found[Place(one.topic, one.partition)] = one.offset
    missing = [place for one in wanted if (place := Place(one.topic, one.partition)) not in found]
    if missing:
        raise KafkaConnectionError(f"{missing[0].topic}/{missing[0].partition} is not in the answer")
    return found


def _known(offsets: dict[Place, int]) -> dict[Place, int]:
    for place, offset in offsets.items():
        if offset < 0:  # what was asked came back: nobody answered for this partition
            raise KafkaConnectionError(f"nobody knows the offsets of {place.topic}/{place.partition}")
    return offsets
