"""Kafka and the schema registry in memory: the clients of the runtime, on one log of records."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aiokafka.structs import RecordMetadata, TopicPartition

from schemas.registry.client import SchemaRegistry
from schemas.registry.memory import MemoryRegistry
from streams.background import ended
from streams.kafka_settings import Brokers
from streams.runtime.connections.connections import Connections
from streams.runtime.errors import ProducerStopped
from streams.runtime.kafka.admin import Admin
from streams.runtime.kafka.offsets import Offsets
from streams.runtime.kafka.partitioner import choose
from streams.runtime.kafka.producer import Producer
from streams.runtime.kafka.reading.batch import Batch
from streams.runtime.kafka.topic_follower import TopicFollower
from streams.settings import Settings
from streams.wire.records import Outgoing, Place, Record
from streams.wire.topic_specs import TopicSpec


class MemoryLog:
    """The records of all topics, by partition. A topic exists as soon as it is named. For one event loop."""

    def __init__(self, partitions: int = 2) -> None:
        self.partitions = partitions
        self.paused = False
        """While set, readers get nothing, as from a broker that hangs."""
        self._records: dict[Place, list[Record]] = {}
        self._news: asyncio.Event | None = None

    def places(self, topic: str) -> frozenset[Place]:
        """Return the partitions of a topic."""
        return frozenset(Place(topic, number) for number in range(self.partitions))

    def records(self, place: Place) -> list[Record]:
        """Return the records of a partition, oldest first."""
        return self._records.setdefault(place, [])

    def topic(self, topic: str) -> list[Record]:
        """Return the records of all partitions of a topic."""
        return [record for place in sorted(self.places(topic)) for record in self.records(place)]

    def append(self, outgoing: Outgoing) -> Record:
        """Add a record."""
        numbers = range(self.partitions)
        partition = outgoing.partition if outgoing.partition is not None else choose(outgoing.key, numbers, numbers)
        records = self.records(Place(outgoing.topic, partition))
        place, offset = Place(outgoing.topic, partition), len(records)
        records.append(Record(place, offset, outgoing.key, outgoing.value, outgoing.headers, time.time()))
        if self._news is not None:
            self._news.set()
            self._news = None
        return records[-1]

    async def changed(self) -> None:
        """Wait for the next record of any topic."""
        if self._news is None:
            self._news = asyncio.Event()
        await self._news.wait()


class MemoryProducer(Producer):
    """Appends to the log."""

    def __init__(self, brokers: Brokers, log: MemoryLog) -> None:
        super().__init__(brokers)
        self._log = log
        self._running = False

    async def start(self) -> None:
        """Begin to take records."""
        self._running = True

    async def stop(self) -> None:
        """Refuse further records."""
        self._running = False

    async def send(self, record: Outgoing) -> RecordMetadata:
        """Append a record."""
        if not self._running:
            raise ProducerStopped("the producer is not running")
        sent = self._log.append(record)
        topic, partition = sent.place
        return RecordMetadata(topic, partition, TopicPartition(topic, partition), sent.offset, None, 0, None)

    async def send_all(self, records: Iterable[Outgoing]) -> None:
        """Append records."""
        for record in records:
            await self.send(record)

    async def send_batch(self, topic: str, partition: int, records: Sequence[Outgoing]) -> RecordMetadata:
        """Append records of one partition."""
        places = [await self.send(replace(record, topic=topic, partition=partition)) for record in records]
        return places[0]

    async def partitions(self, topic: str) -> int:
        """Return the partition count of every topic."""
        return self._log.partitions


class MemoryOffsets(Offsets):
    """Answers questions about the log; no group has ever committed anything."""

    def __init__(self, brokers: Brokers, log: MemoryLog) -> None:
        super().__init__(brokers)
        self._log = log

    async def start(self) -> None:
        """Do nothing: the log is there."""

    async def beginnings(self, places: Iterable[Place]) -> dict[Place, int]:
        """Return 0 for each partition: nothing expires."""
        return dict.fromkeys(places, 0)

    async def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """Return the offset of the next record of each partition."""
        return {place: len(self._log.records(place)) for place in places}

    async def since(self, places: Iterable[Place], moment: float) -> dict[Place, int | None]:
        """Return the first offset of each partition that is not older than a time (epoch seconds)."""
        return {
            place: next((record.offset for record in self._log.records(place) if record.timestamp >= moment), None)
            for place in places
        }

    async def partitions(self, topic: str) -> frozenset[Place]:
        """Return the partitions of a topic."""
        return self._log.places(topic)

    async def committed(self, group: str, places: Iterable[Place]) -> dict[Place, int]:
        """Return nothing: no group has committed."""
        return {}

    async def records(self, place: Place, start: int = 0, stop: int | None = None) -> AsyncGenerator[Record, None]:
        """Yield the records with start ≤ offset < stop."""
        for record in self._log.records(place)[max(0, start) : stop]:
            yield record


class MemoryReader:
    """Reads partitions in batches."""

    def __init__(self, log: MemoryLog, starts: Mapping[Place, int]) -> None:
        self._log = log
        self._next = dict(starts)

    async def start(self) -> None:
        """Do nothing: the log is there."""

    async def stop(self) -> None:
        """Do nothing."""

    async def next(self) -> Batch:
        """Wait for records, and return all that there are."""
        while True:
            found = [record for place, start in self._next.items() for record in self._log.records(place)[start:]]
            if found and not self._log.paused:
                for record in found:
                    self._next[record.place] = record.offset + 1
                return Batch(0, found)
            await self._log.changed()


class MemoryFollower(TopicFollower):
    """Calls `take` for every record of a topic."""

    def __init__(self, brokers: Brokers, log: MemoryLog, topic: str, take: Callable[[Record], Awaitable[None]]) -> None:
        super().__init__(brokers, topic, take)
        self._reader = MemoryReader(log, dict.fromkeys(log.places(topic), 0))
        self._each = take
        self._reading: asyncio.Task[None] | None = None
        self._present = len(log.topic(topic))

    async def start(self) -> None:
        """Read to the present end, and on in the background."""
        self._reading = asyncio.create_task(self._follow())
        if self._present:
            await self.ready.wait()

    async def stop(self) -> None:
        """End the reading."""
        await ended(self._reading)

    async def _follow(self) -> None:
        while True:
            for record in (await self._reader.next()).records:
                await self._each(record)
            self.ready.set()
            async with self.advanced:
                self.advanced.notify_all()


class MemoryAdmin(Admin):
    """Says yes to every topic: each exists as soon as it is named."""

    async def ensure(self, specs: Iterable[TopicSpec], replication: int = 1) -> list[str]:
        """Return no name: nothing was missing."""
        return []

    async def members(self, groups: Iterable[str], seconds: float = 0.0) -> dict[str, int]:
        """Return no members of any group."""
        return dict.fromkeys(groups, 0)


class MemorySchemaRegistry(SchemaRegistry):
    """A registry in this process."""

    def __init__(self) -> None:
        super().__init__("http://registry.invalid")
        self._memory = MemoryRegistry()
        self._latest: dict[str, int] = {}

    async def id_of(self, subject: str, schema: Any) -> int:
        """Register a schema where it is new, and return its id. Raises Incompatible."""
        self._latest[subject] = await self._memory.id_of(subject, schema)
        return self._latest[subject]

    async def register(self, subject: str, schema: Any) -> int:
        """Register a schema and return its id. Raises Incompatible."""
        return await self.id_of(subject, schema)

    async def has(self, subject: str, schema: Any) -> bool:
        """Return whether a subject's newest schema is this one."""
        latest = await self.latest(subject)
        return bool(latest == schema)

    async def schema_of(self, schema_id: int) -> Any:
        """Return the schema of an id. Raises UnknownSchema."""
        return await self._memory.schema_of(schema_id)

    async def latest(self, subject: str) -> Any | None:
        """Return a subject's newest schema; None when it has none."""
        return await self.schema_of(self._latest[subject]) if subject in self._latest else None


@dataclass
class MemoryConnections(Connections):
    """The connections of one process to the log."""

    log: MemoryLog

    def follow(
        self, name: str, take: Callable[[Record], Awaitable[None]], *, since: float | None = None
    ) -> TopicFollower:
        """Return a follower of the log."""
        return MemoryFollower(self.settings.brokers, self.log, self.topic(name), take)


def memory_settings(**fields: Any) -> Settings:
    """Return settings that lead nowhere."""
    nowhere = "127.0.0.1:9"
    leads = {
        "kafka": nowhere,
        "registry": f"http://{nowhere}",
        "s3": f"http://{nowhere}",
        "postgres": f"postgresql://millrace@{nowhere}/millrace",
    }
    return Settings(**{**leads, **fields})
