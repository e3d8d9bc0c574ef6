"""One hop: from a record on a service's topic to the next service's record, against a bare aiokafka loop.

    python -m tests.benchmarks.bench_hop [COUNT]

Both are processes of their own, measured in turn, one record at a time, by the broker's clock: the time of appending the second
record less that of the first (whole milliseconds, so the percentiles are those of grouped data). Ours includes what a bare
loop does not do: two events, acknowledged before the next task is sent, and the body in a pool child. Aim: p50 at most 2
times, p95 at most 3 times.
"""

import asyncio
import dataclasses
import json
import sys
import tempfile
import time
import uuid
from pathlib import Path

import uvloop
from aiokafka import AIOKafkaConsumer

from streams.messages import Context, Run, Task
from streams.runtime.catalogue.announcements import Announcement, Announcer
from streams.settings import Settings
from streams.wire.records import Outgoing
from streams.wire.topic_specs import TopicSpec
from tests.benchmarks.figures import Times, show
from tests.benchmarks.steps import step_one
from tests.integration.support.runtime_harness import ROOT, RuntimeHarness, isolated

PIPELINE = """
pipeline: steps
input: {n: int}
nodes:
  a: {service: step-one, with: {n: "${n}"}}
  b: {service: step-two, with: {n: "${a.n}"}}
output: {n: "${b.n}"}
"""
ROUNDS = 4
WARM_UP = 30
BROKER_CLOCK = {"message.timestamp.type": "LogAppendTime"}


class Hops:
    """Measures hops from one topic to another."""

    def __init__(self, harness: RuntimeHarness, source: str, target: str) -> None:
        self.harness, self.source, self.target = harness, source, target

    async def make(self) -> None:
        """Makes both topics, which take the broker's time."""
        count = self.harness.settings.partitions
        await self.harness.connections.admin.ensure(
            [TopicSpec(name, count, BROKER_CLOCK) for name in (self.source, self.target)]
        )

    async def measure(self, records: list[Outgoing]) -> list[float]:
        """Seconds between the two records of each hop, one hop after another."""
        consumer = AIOKafkaConsumer(
            self.source, self.target, **self.harness.settings.brokers.aiokafka(), auto_offset_reset="latest"
        )
        await consumer.start()
        await consumer.seek_to_end()
        for place in consumer.assignment():  # only now it stands at the end, where the next record will be seen
            await consumer.position(place)
        times = []
        for record in records:
            await self.harness.connections.producer.send(record)
            run = (record.key or b"")[:36]
            stamps: dict[str, int] = {}
            while len(stamps) < 2:
                seen = await asyncio.wait_for(consumer.getone(), 60)
                if seen.key.startswith(run):
                    stamps.setdefault(seen.topic, seen.timestamp)
            times.append((stamps[self.target] - stamps[self.source]) / 1000)
        await consumer.stop()
        return times[WARM_UP:]


async def tasks(harness: RuntimeHarness, count: int) -> list[Outgoing]:
    """Tasks of the first step, of as many runs."""
    topology = harness.topology("steps")
    made = []
    for number in range(count):
        run = Run(str(uuid.uuid4()), "steps", topology.digest, time.time() + 3600)
        task = Task(run, "a", (), "a", "step-one", 1, {"n": number}, Context())
        made.append(await harness.connections.wire.task(task, topology))
    return made


async def main(count: int) -> None:
    """Measures both in turn, some times, so that a busy moment does not hit one of them only."""
    with tempfile.TemporaryDirectory() as folder:
        async with RuntimeHarness(isolated(Settings.read()), Path(folder)) as harness:
            names = harness.connections.names
            bare = Hops(harness, harness.connections.topic("bare.in"), harness.connections.topic("bare.out"))
            own = Hops(harness, names.tasks("step-one", 1), names.tasks("step-two", 1))
            await bare.make()
            await own.make()
            await harness.start("tests.benchmarks.steps")
            one = step_one.contract
            two = dataclasses.replace(one, name="step-two")
            await harness.publish(PIPELINE, {one.name: one, two.name: two})
            # Announced but not hosted: a worker of it would share the cores with what is measured.
            await Announcer(
                harness.connections, lambda: [Announcement(two.name, "nobody", two, time.time(), 600)]
            ).announce()
            command = [
                "-m",
                "tests.benchmarks.bare",
                json.dumps(harness.settings.brokers.aiokafka()),
                bare.source,
                bare.target,
            ]
            floor: list[float] = []
            hops: list[float] = []
            loop = await asyncio.create_subprocess_exec(
                sys.executable, *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE
            )
            try:
                assert loop.stdout is not None
                await loop.stdout.readline()
                for _ in range(ROUNDS):
                    records = await tasks(harness, count // ROUNDS + WARM_UP)
                    floor += await bare.measure([dataclasses.replace(one, topic=bare.source) for one in records])
                    hops += await own.measure(records)
            finally:
                loop.kill()
                await loop.wait()
            low, high = Times.of_milliseconds(floor), Times.of_milliseconds(hops)
            show("hop", bare=low, ours=high, p50_ratio=high.p50 / low.p50, p95_ratio=high.p95 / low.p95)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 400))
