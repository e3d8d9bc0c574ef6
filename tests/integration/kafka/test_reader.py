"""Readers on a real broker: every codec, transactions, and unreadable records, which block nothing."""

import asyncio
import dataclasses
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.record.util import calc_crc32c
from confluent_kafka import Producer

from infra.local.running import RunningStack
from streams.runtime.kafka import client, offsets
from streams.runtime.kafka.admin import Admin
from streams.runtime.kafka.group_member import GroupMember, MemberOptions
from streams.runtime.kafka.offsets import Offsets
from streams.runtime.kafka.reading.positions import BEGINNING
from streams.runtime.kafka.reading.reader import PartitionReader
from streams.settings import Settings
from streams.wire.records import Place, Record
from streams.wire.topic_specs import TopicSpec
from tests.integration.support.waiting import until

LARGE = b"x" * 5000
"""Large enough for every client to compress it."""
_CRC = 17
"""Where in a batch its checksum stands; it is that of all that follows."""


@dataclass
class Topic:
    """A topic of two partitions, read by a member of a group."""

    settings: Settings
    name: str
    offsets: Offsets
    seen: list[Record] = field(default_factory=list)

    @property
    def place(self) -> Place:
        """The first partition."""
        return Place(self.name, 0)

    @property
    def offsets_read(self) -> list[int]:
        """The offsets of the first partition that were read, in their order."""
        return [record.offset for record in self.seen if record.place == self.place]

    def segment(self, stack: RunningStack) -> Path:
        """The file in which the broker keeps the first partition."""
        return stack.home / "kafka" / "data" / f"{self.name}-0" / f"{0:020}.log"

    def send(self, values: Iterable[bytes], partition: int = 0, codec: str = "none") -> None:
        """Sends records, each in a batch of its own."""
        producer = Producer({**self.settings.brokers.confluent(), "compression.type": codec})
        for value in values:
            producer.produce(self.name, value, b"k", partition=partition)
            assert not producer.flush(10)

    @asynccontextmanager
    async def member(self) -> AsyncIterator[GroupMember]:
        """A member of the topic's group."""

        async def note(record: Record) -> None:
            self.seen.append(record)

        member = GroupMember(f"{self.name}-group", [self.name], note, self.settings.brokers)
        await member.start()
        try:
            yield member
            assert member.failure is None
        finally:
            await member.stop(5)


@asynccontextmanager
async def new_topic(settings: Settings) -> AsyncIterator[Topic]:
    """A topic of its own, deleted at the end."""
    name = f"t{uuid.uuid4().hex[:10]}-edge"
    admin, offsets = Admin(settings.brokers), Offsets(settings.brokers)
    await admin.ensure([TopicSpec(name, 2)])
    await offsets.start()
    try:
        yield Topic(settings, name, offsets)
    finally:
        await offsets.stop()
        await admin.delete([name])


def test_every_codec_is_read(settings: Settings) -> None:
    """What other systems' producers compress is read by members and by readers without a group."""
    codecs = ["none", "gzip", "snappy", "lz4", "zstd"]

    async def main() -> None:
        async with new_topic(settings) as topic:
            for codec in codecs:
                topic.send([LARGE], codec=codec)
            async with topic.member():
                await until(lambda: topic.offsets_read == [0, 1, 2, 3, 4])
            assert {record.value for record in topic.seen} == {LARGE}
            assert [record.value for record in await topic.offsets.read(topic.place, 0, 5)] == [LARGE] * 5

    asyncio.run(main())


def test_records_of_a_transaction_are_read_after_its_commit(settings: Settings) -> None:
    """A record of a transaction is read after its commit, and never when it was aborted; what lies behind waits for neither for ever."""

    async def main() -> None:
        async with new_topic(settings) as topic, topic.member():
            foreign = AIOKafkaProducer(**settings.brokers.aiokafka(), transactional_id=f"{topic.name}-tx")
            await foreign.start()
            await foreign.begin_transaction()
            await foreign.send_and_wait(topic.name, b"aborted", partition=0)
            await foreign.abort_transaction()
            await foreign.begin_transaction()
            await foreign.send_and_wait(topic.name, b"open", partition=0)
            topic.send([b"behind"])
            topic.send([b"beside"], partition=1)
            await until(lambda: [record.value for record in topic.seen] == [b"beside"])
            assert (await topic.offsets.ends([topic.place]))[topic.place] == 2
            assert await topic.offsets.read(topic.place, 0, 9) == []
            await foreign.commit_transaction()
            await until(lambda: [record.value for record in topic.seen[1:]] == [b"open", b"behind"])
            await foreign.stop()

    asyncio.run(main())


def test_a_header_that_cannot_be_read_is_its_records_alone(settings: Settings, stack: RunningStack) -> None:
    """A header may have no value, or a name that is no text: the latter's record says that it cannot be read."""

    async def main() -> None:
        async with new_topic(settings) as topic:
            producer = Producer(settings.brokers.confluent())
            producer.produce(topic.name, b"v", partition=0, headers=[("name", b"x")])
            assert not producer.flush(10)
            rename(topic.segment(stack))
            for value in (None, b"\xff"):
                producer.produce(topic.name, b"v", partition=0, headers=[("a", value)])
                assert not producer.flush(10)
            async with topic.member():
                await until(lambda: topic.offsets_read == [0, 1, 2])
            assert "not UTF-8" in topic.seen[0].unreadable
            assert [record.unreadable for record in topic.seen[1:]] == ["", ""]
            headers: list[Any] = [record.headers for record in topic.seen[1:]]
            assert headers == [(("a", None),), (("a", b"\xff"),)]

    asyncio.run(main())


def rename(segment: Path) -> None:
    """Gives the header of the only batch of a log a name that is not UTF-8, as no client's library lets one do."""
    batch = bytearray(segment.read_bytes()).replace(b"name", b"\xff\xfe\xfd\xfc")
    batch[_CRC : _CRC + 4] = calc_crc32c(bytes(batch[_CRC + 4 :])).to_bytes(4, "big")
    segment.write_bytes(batch)


@pytest.mark.parametrize("records", [1, 3])
def test_a_batch_that_is_broken_is_stepped_over(settings: Settings, stack: RunningStack, records: int) -> None:
    """A batch whose bytes are not what was written comes as records that say so; what lies before and behind is read once."""

    async def main() -> None:
        async with new_topic(settings) as topic:
            topic.send([b"first", b"second"])
            producer = Producer({**settings.brokers.confluent(), "linger.ms": 500})
            for number in range(records):
                producer.produce(topic.name, b"mangle" * 100 + b"%d" % number, partition=0)
            assert not producer.flush(10)
            topic.send([b"behind", b"last"])
            segment = topic.segment(stack)
            where = segment.read_bytes().find(b"mangle" * 50)
            with segment.open("r+b") as file:
                file.seek(where)
                file.write(b"MANGLE")
            topic.send([b"beside"], partition=1)
            async with topic.member() as member:
                await until(lambda: len(topic.offsets_read) == 4 + records)
                await until(lambda: Place(topic.name, 1) in {record.place for record in topic.seen})
                here = [record for record in topic.seen if record.place == topic.place]
                assert [record.offset for record in here] == list(range(4 + records))
                assert [record.value for record in here if not record.unreadable] == [
                    b"first",
                    b"second",
                    b"behind",
                    b"last",
                ]
                assert all("CRC" in record.unreadable for record in here[2 : 2 + records])

                async def done() -> bool:
                    return not sum((await topic.offsets.lag(member.group, [topic.place])).values())

                await until(done)
            assert [record.offset for record in await topic.offsets.read(topic.place, 0, 99)] == list(
                range(4 + records)
            )

    asyncio.run(main())


def test_a_reader_says_where_the_log_ends(settings: Settings) -> None:
    """Also where it ends with the marker of a transaction, which is no record."""

    async def main() -> None:
        async with new_topic(settings) as topic:
            foreign = AIOKafkaProducer(**settings.brokers.aiokafka(), transactional_id=f"{topic.name}-tx")
            await foreign.start()
            async with foreign.transaction():
                await foreign.send_and_wait(topic.name, b"x", partition=0)
            await foreign.stop()
            places = sorted(await topic.offsets.partitions(topic.name))
            reader = PartitionReader(settings.brokers, topic.name, dict.fromkeys(places, BEGINNING))
            await reader.start()
            try:
                ends: dict[Place, int] = {}
                while ends != {places[0]: 2, places[1]: 0}:
                    async with asyncio.timeout(20):
                        ends |= (await reader.next()).ends
            finally:
                await reader.stop()

    asyncio.run(main())


def test_a_member_that_takes_nothing_stays_in_its_group(settings: Settings) -> None:
    """While all its room is taken, another may join and leave; what waits is read when there is room, once each."""

    async def main() -> None:
        async with new_topic(settings) as topic:
            go = asyncio.Event()

            async def hold(record: Record) -> None:
                await go.wait()
                topic.seen.append(record)

            for partition in (0, 1):
                topic.send([b"x"] * 100, partition=partition)
            group = f"{topic.name}-group"
            member = GroupMember(group, [topic.name], hold, settings.brokers, MemberOptions(room=4, patience=0.1))
            other = GroupMember(group, [topic.name], hold, settings.brokers, MemberOptions(room=4, patience=0.1))
            await member.start()
            await until(lambda: member.acks.in_flight == 4)
            await other.start()
            await until(lambda: len(member.assigned) == len(other.assigned) == 1)
            await other.stop(0)
            await until(lambda: len(member.assigned) == 2)
            go.set()
            places = [Place(topic.name, 0), Place(topic.name, 1)]

            async def done() -> bool:
                return not sum((await topic.offsets.lag(group, places)).values())

            await until(done)
            await member.stop(5)
            spots = {record.spot for record in topic.seen}
            assert spots == {(place, offset) for place in places for offset in range(100)}

    asyncio.run(main())


def test_a_client_that_stopped_answering_is_replaced(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a broker stood still, a client may fail for good: a new one is asked then, and an answer comes."""
    monkeypatch.setattr(offsets, "_TIMEOUT", 1.0)
    monkeypatch.setattr(offsets, "_REPLACE_AFTER", 0.5)

    async def main() -> None:
        async with new_topic(settings) as topic:
            nowhere = dataclasses.replace(settings.brokers, servers="127.0.0.1:1")  # nothing listens on this port
            topic.offsets._consumer = client.consumer(nowhere, {"group.id": "nobody"})
            with pytest.raises(KafkaError):
                await topic.offsets.ends([topic.place])

            async def answered() -> bool:
                try:
                    return await topic.offsets.ends([topic.place]) == {topic.place: 0}
                except KafkaError:
                    return False

            await until(answered)

    asyncio.run(main())
