"""Groups of records that are appended together, on a real broker."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import groupby

from streams.runtime.errors import Undeliverable
from streams.runtime.kafka.admin import Admin
from streams.runtime.kafka.log_appender import LogAppender
from streams.runtime.kafka.offsets import Offsets
from streams.runtime.kafka.producer import MAX_BATCH, Producer
from streams.settings import Settings
from streams.wire.records import Outgoing, Record
from streams.wire.topic_specs import TopicSpec

PARTITIONS = 2


@asynccontextmanager
async def appender(settings: Settings) -> AsyncIterator[tuple[LogAppender, Producer]]:
    """An appender to a topic of its own, and its producer."""
    topic = f"log-{uuid.uuid4().hex[:8]}"
    await Admin(settings.brokers).ensure([TopicSpec(topic, PARTITIONS, {})])
    async with Producer(settings.brokers) as producer:
        log = LogAppender(producer, topic)
        yield log, producer
        await log.stop()


async def written(settings: Settings, topic: str) -> list[list[Record]]:
    """What each partition holds."""
    offsets = Offsets(settings.brokers)
    await offsets.start()
    try:
        places = await offsets.partitions(topic)
        ends = await offsets.ends(places)
        return [await offsets.read(place, 0, ends[place]) for place in sorted(places)]
    finally:
        await offsets.stop()


def group(topic: str, key: str, values: list[bytes]) -> list[Outgoing]:
    """Records of one key."""
    return [Outgoing(topic, key.encode(), value, (("number", str(at).encode()),)) for at, value in enumerate(values)]


def test_groups_stay_together_and_in_order(settings: Settings) -> None:
    """Many groups at once, of few keys: each is one stretch of its partition, in its order, with its headers."""

    async def main() -> None:
        async with appender(settings) as (log, _):
            topic = log.topic
            keys = [f"run-{number % 7}" for number in range(200)]
            values = [[f"{number}/{at}".encode() for at in range(1 + number % 5)] for number in range(200)]
            await asyncio.gather(
                *(log.append(key, group(topic, key, each)) for key, each in zip(keys, values, strict=True))
            )
            found = await written(settings, topic)
        assert sum(map(len, found)) == sum(map(len, values))
        stretches = [
            (key, list(records))
            for partition in found
            for key, records in groupby(
                partition, key=lambda record: (record.key, (record.value or b"").split(b"/")[0])
            )
        ]
        assert len(stretches) == 200
        for (_, number), records in stretches:
            assert [record.value for record in records] == values[int(number)]
            assert [record.header("number") for record in records] == [str(at).encode() for at in range(len(records))]
        for key in set(keys):  # groups of one key are in the order of asking
            order = [int(number) for (its, number), _ in stretches if its == key.encode()]
            assert order == sorted(order)

    asyncio.run(main())


def test_a_group_larger_than_a_batch_is_written_record_by_record(settings: Settings) -> None:
    """Nothing is lost of it, and what waits behind it is not held up; a record that Kafka never takes is reported to its owner only."""

    async def main() -> None:
        async with appender(settings) as (log, _):
            topic = log.topic
            large = group(topic, "a", [b"x" * (MAX_BATCH // 2)] * 3)
            refused = group(topic, "a", [b"x" * 9_000_000])
            small = group(topic, "a", [b"small"])
            outcomes = await asyncio.gather(
                *(log.append("a", each) for each in (large, refused, small)), return_exceptions=True
            )
            found = await written(settings, topic)
        assert [type(outcome) for outcome in outcomes] == [type(None), Undeliverable, type(None)]
        assert sorted(len(record.value or b"") for partition in found for record in partition) == [
            5,
            *[MAX_BATCH // 2] * 3,
        ]

    asyncio.run(main())


def test_an_owner_that_is_cancelled_cancels_nothing_of_others(settings: Settings) -> None:
    """Its own records are written too: they may be on their way already."""

    async def main() -> None:
        async with appender(settings) as (log, _):
            topic = log.topic
            owners = [asyncio.create_task(log.append("a", group(topic, "a", [b"%d" % at]))) for at in range(10)]
            await asyncio.sleep(0)  # until each has queued its group
            owners[3].cancel()
            outcomes = await asyncio.gather(*owners, return_exceptions=True)
            found = await written(settings, topic)
        assert [isinstance(outcome, asyncio.CancelledError) for outcome in outcomes] == [at == 3 for at in range(10)]
        assert {record.value for partition in found for record in partition} >= {
            b"%d" % at for at in range(10) if at != 3
        }

    asyncio.run(main())


def test_no_records_are_no_request(settings: Settings) -> None:
    """An empty group is written at once, even while there is no broker."""

    async def main() -> None:
        await LogAppender(Producer(settings.brokers), "nowhere").append("a", [])

    asyncio.run(main())
