"""Whether the recorder keeps up: runs as fast as the stack takes them, for minutes, and how far the history is behind meanwhile.

    python -m tests.benchmarks.bench_history [MINUTES]

The stack is the one that `make run` starts. A Kafka producer asks for runs of a pipeline that computes a value (nothing else is faster),
`IN_FLIGHT` of them at once, and awaits their results. Aim: complete within 3 seconds of the load's end, after 10 minutes of it as after one.
"""

import asyncio
import itertools
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import uvloop
from aiokafka import AIOKafkaProducer

from infra.local.home.secrets import api_key
from streams.kafka_settings import Brokers
from streams.runtime.kafka.partitioner import partition_of
from streams.wire import topics
from streams.wire.codec import RUN
from streams.wire.topics import Topics
from tests.benchmarks.clients import millrace
from tests.benchmarks.figures import show
from tests.benchmarks.parts import Backend, backend, own
from tests.benchmarks.processes import between, spent
from tests.benchmarks.results import following
from tests.integration.support.waiting import until

IN_FLIGHT = 512
EVERY = 5.0
"""Seconds between two looks."""
NAME = "bench-history"
PIPELINE = f"""
pipeline: {NAME}
input: {{n: int}}
nodes:
  twice: {{value: "${{n * 2}}"}}
output: {{n: "${{twice}}"}}
"""

Ends = Callable[[], Awaitable[dict[int, int]]]


class Watch:
    """How far the history is behind the log."""

    def __init__(self, connection: "psycopg.AsyncConnection[Any]", ends: Ends) -> None:
        self._connection, self._ends = connection, ends

    async def behind(self) -> int:
        """Events that are in the log and not in the history."""
        ends = await self._ends()
        found = await self._connection.execute("select partition, next_sequence from progress")
        reach = dict(await found.fetchall())
        return sum(max(0, end - reach.get(number, 0)) for number, end in ends.items())


async def load(producer: AIOKafkaProducer, names: Topics, partitions: int, brokers: Brokers, seconds: float) -> int:
    """Runs for so long; how many."""
    numbers = itertools.count()
    done = 0
    over = time.monotonic() + seconds
    async with following(brokers, names.results(NAME)) as results:

        async def one_after_another() -> None:
            nonlocal done
            while time.monotonic() < over:
                run = str(uuid.uuid4())
                result = results.expected(run)
                await producer.send(
                    names.requests(NAME),
                    b'{"n": %d}' % next(numbers),
                    key=run.encode(),
                    partition=partition_of(run, partitions),
                    headers=[(RUN, run.encode()), ("content-type", b"application/json")],
                )
                await asyncio.wait_for(result, 120)
                done += 1

        await asyncio.gather(*(one_after_another() for _ in range(IN_FLIGHT)))
    return done


async def measure(made: Backend, ours: dict[str, list[int]], minutes: float) -> None:
    """The load, and looks at the history while it lasts and until it is complete."""
    settings = made.settings
    names = Topics(settings.topic_prefix)
    async with millrace(f"http://127.0.0.1:{settings.http_port}", api_key(settings.home), {}) as client:
        await client.publish(NAME, PIPELINE)
    producer = AIOKafkaProducer(**settings.brokers.aiokafka(), linger_ms=2)
    await producer.start()
    connection: psycopg.AsyncConnection[Any]
    try:
        async with await psycopg.AsyncConnection.connect(settings.postgres, autocommit=True) as connection:
            events = names.named(topics.EVENTS)
            watch = Watch(connection, lambda: made.ends(events))
            begun, before = time.monotonic(), spent({**ours, **made.groups})
            partitions = settings.partitions
            running = asyncio.create_task(load(producer, names, partitions, settings.brokers, minutes * 60))
            most = 0
            while not running.done():
                await asyncio.wait([running], timeout=EVERY)
                behind = await watch.behind()
                most = max(most, behind)
                show("history", seconds=time.monotonic() - begun, events_behind=behind)
            count, ended = running.result(), time.monotonic()

            async def complete() -> bool:
                return await watch.behind() == 0

            await until(complete, 600, "the history")
            after = spent({**ours, **made.groups})
            show(
                "history",
                runs=count,
                runs_per_second=count / (ended - begun),
                most_events_behind=most,
                complete_after_seconds=time.monotonic() - ended,
                cpu_ms_a_run={name: round(value / count * 1000, 3) for name, value in between(before, after).items()},
            )
            found = await connection.execute(
                "select count(*) from runs where pipeline = %s and status = 'finished'", [NAME]
            )
            assert await found.fetchone() == (count,)
    finally:
        await producer.stop()


async def main(minutes: float) -> None:
    """Measures a stack of its own."""
    async with backend() as made:
        with own(made) as ours:
            await measure(made, {name: list(pids) for name, pids in ours.items()}, minutes)


if __name__ == "__main__":
    uvloop.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0))
