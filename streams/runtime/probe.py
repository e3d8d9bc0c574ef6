"""Questions to the cluster that need no group membership: where partitions begin and end, what a group has committed."""

import contextlib
from collections.abc import AsyncGenerator, Iterable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import ConsumerRecord

from streams.brokers import Brokers
from streams.records import Place, Record


class Probe:
    """One connection for such questions. Every method raises KafkaError when the cluster does not answer."""

    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers
        self._consumer: AIOKafkaConsumer | None = None
        self._admin: AIOKafkaAdminClient | None = None

    async def start(self) -> None:
        """Connects."""
        self._consumer = AIOKafkaConsumer(**self._brokers.aiokafka(), enable_auto_commit=False)
        self._admin = AIOKafkaAdminClient(**self._brokers.aiokafka())
        await self._consumer.start()
        await self._admin.start()

    async def stop(self) -> None:
        """Closes the connections."""
        if self._consumer is not None:
            await self._consumer.stop()
        if self._admin is not None:
            await self._admin.close()

    async def beginnings(self, places: Iterable[Place]) -> dict[Place, int]:
        """The first offset that each partition still has."""
        assert self._consumer is not None
        found = await self._consumer.beginning_offsets([TopicPartition(*place) for place in places])
        return {Place(*tp): offset for tp, offset in found.items()}

    async def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """The offset that each partition's next record will have."""
        assert self._consumer is not None
        found = await self._consumer.end_offsets([TopicPartition(*place) for place in places])
        return {Place(*tp): offset for tp, offset in found.items()}

    async def committed(self, group: str, places: Iterable[Place]) -> dict[Place, int]:
        """The next offset that the group has to read, for those partitions where it has ever committed."""
        assert self._admin is not None
        wanted = [TopicPartition(*place) for place in places]
        found = await self._admin.list_consumer_group_offsets(group, partitions=wanted)
        return {Place(*tp): meta.offset for tp, meta in found.items() if meta.offset >= 0}

    async def starts(self, group: str, places: frozenset[Place]) -> Mapping[Place, int]:
        """Where the group's next generation begins in each partition: committed, or the log's start."""
        committed = await self.committed(group, places)
        beginnings = await self.beginnings(places)
        return {place: committed.get(place, beginnings[place]) for place in places}

    async def behind(self, group: str, places: Iterable[Place]) -> dict[Place, range]:
        """The offsets that the group has not committed yet, of each partition."""
        places = list(places)
        starts, ends = await self.starts(group, frozenset(places)), await self.ends(places)
        return {place: range(starts[place], max(starts[place], ends[place])) for place in places}

    async def lag(self, group: str, places: Iterable[Place]) -> dict[Place, int]:
        """How many these are."""
        return {place: len(offsets) for place, offsets in (await self.behind(group, places)).items()}

    async def found(self, place: Place, start: int, stop: int) -> bool:
        """Whether any record exists in [start, stop)."""
        async with contextlib.aclosing(self._batches(place, start, stop)) as batches:
            async for batch in batches:
                if batch:
                    return True
        return False

    async def read(self, place: Place, start: int, stop: int) -> list[Record]:
        """The records with start ≤ offset < stop that exist, read with a consumer of its own."""
        found: list[Record] = []
        async with contextlib.aclosing(self._batches(place, start, stop)) as batches:
            async for batch in batches:
                found += batch
        return found

    async def _batches(self, place: Place, start: int, stop: int) -> AsyncGenerator[list[Record], None]:
        consumer = AIOKafkaConsumer(**self._brokers.aiokafka(), enable_auto_commit=False, auto_offset_reset="earliest")
        tp = TopicPartition(*place)
        await consumer.start()
        try:
            consumer.assign([tp])
            first, end = (await consumer.beginning_offsets([tp]))[tp], (await consumer.end_offsets([tp]))[tp]
            consumer.seek(tp, max(start, first))
            while await consumer.position(tp) < min(stop, end):
                batch = await consumer.getmany(tp, timeout_ms=500)
                yield [record_of(record) for record in batch.get(tp, []) if start <= record.offset < stop]
        finally:
            await consumer.stop()

    async def present(self, place: Place, start: int, stop: int) -> list[int]:
        """The offsets in [start, stop) that exist: empty where retention, compaction or a transaction left a gap."""
        return [record.offset for record in await self.read(place, start, stop)]


def record_of(record: ConsumerRecord[bytes, bytes]) -> Record:
    """The plain form of a record that aiokafka read."""
    return Record(
        Place(record.topic, record.partition),
        record.offset,
        record.key,
        record.value,
        tuple(record.headers),
        record.timestamp / 1000.0,
    )
