"""A group member on a real broker: where it begins, which gaps it passes, what it commits, how it takes to new topics."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from streams.runtime.errors import Stuck
from streams.runtime.kafka.admin import Admin
from streams.runtime.kafka.group_member import GroupMember
from streams.runtime.kafka.offsets import Offsets
from streams.runtime.kafka.producer import Producer
from streams.runtime.retrying import Outages
from streams.runtime.worker.health.liveness import Liveness
from streams.settings import Settings
from streams.wire.records import Handler, Outgoing, Place, Record
from streams.wire.topic_specs import TopicSpec
from tests.integration.support.waiting import until


@dataclass
class HandledTopic:
    """A topic of one partition, and what its members have handled."""

    settings: Settings
    offsets: Offsets
    producer: Producer
    admin: Admin
    name: str
    seen: list[int] = field(default_factory=list)

    @property
    def group(self) -> str:
        """The group's name."""
        return f"{self.name}-group"

    @property
    def handled(self) -> list[int]:
        """The offsets in the order in which they were handled first; a change of membership may bring one again."""
        return list(dict.fromkeys(self.seen))

    @property
    def place(self) -> Place:
        """The only partition."""
        return Place(self.name, 0)

    async def send(self, count: int) -> None:
        """Sends so many records."""
        await self.producer.send_all([Outgoing(self.name, b"k", str(number).encode()) for number in range(count)])

    async def note(self, record: Record) -> None:
        """Notes a record."""
        self.seen.append(record.offset)

    @asynccontextmanager
    async def member(self, handle: Handler | None = None) -> AsyncIterator[GroupMember]:
        """A member of the group, which has left at the end."""
        member = GroupMember(self.group, [self.name], handle or self.note, self.settings.brokers)
        await member.start()
        try:
            yield member
            assert member.failure is None
        finally:
            await member.stop(5)

    @asynccontextmanager
    async def held(self, count: int) -> AsyncIterator[tuple[GroupMember, asyncio.Event]]:
        """A member that has so many records in hand, or as many as it has room for, until the event is set."""
        go = asyncio.Event()

        async def handle(record: Record) -> None:
            await go.wait()
            await self.note(record)

        await self.send(count)
        async with self.member(handle) as member:
            await until(lambda: member.acks.in_flight == min(count, 64))
            yield member, go

    async def caught_up(self) -> bool:
        """Whether the group has committed everything."""
        return not sum((await self.offsets.lag(self.group, [self.place])).values())


@asynccontextmanager
async def handled_topic(settings: Settings) -> AsyncIterator[HandledTopic]:
    """A topic of its own, deleted at the end."""
    topic = f"t{uuid.uuid4().hex[:10]}-records"
    admin, offsets = Admin(settings.brokers), Offsets(settings.brokers)
    await admin.ensure([TopicSpec(topic, 1)])
    await offsets.start()
    try:
        async with Producer(settings.brokers) as producer:
            yield HandledTopic(settings, offsets, producer, admin, topic)
    finally:
        await offsets.stop()
        await admin.delete([topic])


def test_a_log_that_has_lost_its_start_is_read_from_where_it_begins(settings: Settings) -> None:
    """What retention has removed is a real gap, at the first record of a group and at a later one."""

    async def forget(topic: HandledTopic, before: int) -> None:
        client = AIOKafkaAdminClient(**settings.brokers.aiokafka())
        await client.start()
        await client.delete_records({TopicPartition(*topic.place): RecordsToDelete(before)})
        await client.close()

    async def main() -> None:
        async with handled_topic(settings) as topic:
            await topic.send(10)
            await forget(topic, 4)
            async with topic.member():
                await until(lambda: topic.handled == [4, 5, 6, 7, 8, 9])
                await until(topic.caught_up)
            await topic.send(10)
            await forget(topic, 15)
            async with topic.member():
                await until(lambda: topic.seen[6:] == [15, 16, 17, 18, 19])
                await until(topic.caught_up)

    asyncio.run(main())


def test_offsets_of_transactions_are_passed(settings: Settings) -> None:
    """Markers of other people's transactions take offsets that no record has; they hold nothing up."""

    async def main() -> None:
        async with handled_topic(settings) as topic:
            foreign = AIOKafkaProducer(**settings.brokers.aiokafka(), transactional_id=f"{topic.name}-tx")
            await foreign.start()
            for _ in range(3):
                async with foreign.transaction():
                    await foreign.send_and_wait(topic.name, b"x", key=b"k")
            await foreign.stop()
            await topic.send(1)
            async with topic.member():
                await until(lambda: topic.handled == [0, 2, 4, 6])
                await until(topic.caught_up)

    asyncio.run(main())


def test_the_next_member_continues_behind_the_last(settings: Settings) -> None:
    """A member that has left has committed all it did: the next one goes on behind it."""

    async def main() -> None:
        async with handled_topic(settings) as topic:
            await topic.send(5)
            async with topic.member():
                await until(lambda: len(topic.seen) == 5)
            await topic.send(3)
            async with topic.member():
                await until(lambda: len(topic.seen) >= 8)
                await until(topic.caught_up)
            assert topic.seen == list(range(8))

    asyncio.run(main())


def test_a_new_topic_is_read_while_records_come(settings: Settings) -> None:
    """Another topic is taken up under load without a record of either being lost."""

    async def main() -> None:
        async with handled_topic(settings) as topic:
            other = f"{topic.name}-too"
            await topic.admin.ensure([TopicSpec(other, 1)])
            try:
                async with topic.member() as member:
                    stop = asyncio.Event()
                    sent = 0

                    async def load() -> None:
                        nonlocal sent
                        while not stop.is_set():
                            await topic.producer.send(Outgoing(topic.name, b"k", b"x"))
                            await topic.producer.send(Outgoing(other, b"k", b"x"))
                            sent += 1

                    loading = asyncio.create_task(load())
                    await until(lambda: len(topic.seen) > 20)
                    await member.subscribe([other])
                    count = sent
                    await until(lambda: sent > count + 20)
                    stop.set()
                    await loading
                    places = [topic.place, Place(other, 0)]

                    async def done() -> bool:
                        return not sum((await topic.offsets.lag(topic.group, places)).values())

                    await until(done)
                    assert sorted(set(topic.seen)) == list(range(sent))
                    assert len(topic.seen) >= 2 * sent
            finally:
                await topic.admin.delete([other])

    asyncio.run(main())


def test_a_member_without_progress_is_stuck(settings: Settings) -> None:
    """Lag without progress is said to be stuck, with the figures; while it waits for a part that is away, it is not."""

    async def main() -> None:
        async with handled_topic(settings) as topic, topic.held(3) as (member, go):
            outages = Outages()
            liveness = Liveness([member], topic.offsets, outages, idle=0.2, busy=0.2)

            with outages.waiting("s3"):
                patient = asyncio.get_running_loop().time() + 0.6
                while asyncio.get_running_loop().time() < patient:
                    assert await stuck(liveness) is None
            reason = await until(lambda: stuck(liveness), 10)
            assert reason.startswith(f"{topic.group}: 3 records wait and none was finished")
            go.set()
            await until(topic.caught_up)
            assert await liveness.check() == {topic.group: 0}

    asyncio.run(main())


async def stuck(liveness: Liveness) -> str | None:
    """What a look says of a member that is stuck."""
    try:
        await liveness.check()
    except Stuck as error:
        return str(error)
    return None


def test_work_may_take_as_long_as_it_is_allowed_to(settings: Settings) -> None:
    """A training of an hour is not called a hang after a quarter of one; what takes longer than it may is."""

    async def main() -> None:
        async with handled_topic(settings) as topic, topic.held(1) as (member, go):
            member.allowed = lambda: 3600.0
            now = 0.0
            liveness = Liveness([member], topic.offsets, Outages(), clock=lambda: now)
            for seconds in range(0, 4500, 50):
                now = float(seconds)
                assert not await stuck(liveness)
            now = 4501.0
            assert await stuck(liveness)
            go.set()

    asyncio.run(main())


def test_a_member_that_was_frozen_itself_is_not_stuck(settings: Settings) -> None:
    """A process that was stopped for minutes and goes on has seen nothing: others get the time that they always get."""

    async def main() -> None:
        async with handled_topic(settings) as topic, topic.held(1) as (member, go):
            now = 0.0
            liveness = Liveness([member], topic.offsets, Outages(), busy=60.0, clock=lambda: now)
            for moment in (0.0, 5.0, 500.0, 530.0):
                now = moment
                assert not await stuck(liveness)
            now = 561.0
            assert await stuck(liveness)
            go.set()

    asyncio.run(main())


def test_the_marker_of_a_transaction_is_no_work(settings: Settings) -> None:
    """Another system's transaction ends with an offset that no record has: with none behind it, nothing is waited for."""

    async def main() -> None:
        async with handled_topic(settings) as topic:
            foreign = AIOKafkaProducer(**settings.brokers.aiokafka(), transactional_id=f"{topic.name}-tx")
            await foreign.start()
            async with foreign.transaction():
                await foreign.send_and_wait(topic.name, b"x", key=b"k")
            await foreign.stop()
            async with topic.member() as member:

                async def left() -> bool:
                    return await topic.offsets.behind(topic.group, [topic.place]) == {topic.place: range(1, 2)}

                await until(left)
                now = 0.0
                liveness = Liveness([member], topic.offsets, Outages(), clock=lambda: now)
                for minute in range(5):
                    now = minute * 45.0
                    assert not await stuck(liveness)

    asyncio.run(main())


def test_a_task_that_does_not_end_in_time_is_cancelled_at_a_stop(settings: Settings) -> None:
    """It ends before the member's parts are closed, so that it does not fail for that; the next member starts it again."""

    async def main() -> None:
        async with handled_topic(settings) as topic:
            broken: list[int] = []

            async def handle(record: Record) -> None:
                try:
                    await asyncio.Event().wait()
                finally:
                    broken.append(record.offset)

            await topic.send(2)
            member = GroupMember(topic.group, [topic.name], handle, settings.brokers)
            await member.start()
            await until(lambda: member.acks.in_flight == 2)
            await member.stop(0.1)
            assert (sorted(broken), member.acks.in_flight) == ([0, 1], 0)
            async with topic.member():
                await until(lambda: topic.handled == [0, 1])

    asyncio.run(main())


def test_more_than_there_is_room_for_is_delivered_when_room_is_made(settings: Settings) -> None:
    """A reader whose buffers are full waits, and goes on where it stopped."""
    count = 1000  # more than Faust's buffer and the lanes take together

    async def main() -> None:
        async with handled_topic(settings) as topic, topic.held(count) as (_, go):
            go.set()
            await until(lambda: topic.handled == list(range(count)))
            await until(topic.caught_up)

    asyncio.run(main())
