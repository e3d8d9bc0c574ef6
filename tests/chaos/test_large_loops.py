"""A loop of thousands of items: bounded memory, all workers; and everything delivered twice."""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from streams.wire.records import Outgoing, Place
from tests.chaos.conftest import SharedInstallation
from tests.chaos.installation import Installation, memory_bytes
from tests.chaos.joins_and_loops import JOINS_AND_LOOPS, expected_output
from tests.effort import by_effort
from tests.integration.support.runtime_harness import WorkerProcess
from tests.integration.support.waiting import until

log = logging.getLogger(__name__)

CROWD = """
pipeline: crowd
limit: 30000
input: {numbers: [int]}
nodes:
  every:
    each: {number: "${numbers}"}
    nodes: {one: {service: bump, with: {n: "${number}"}}}
    output: "${one}"
output: {all: "${every}"}
"""
ITEMS = by_effort(quick=2_000, thorough=10_000)
MIB = 1024 * 1024


class Scales:
    """Weighs workers while something goes on."""

    def __init__(self, workers: dict[str, WorkerProcess]) -> None:
        self._workers = workers
        self.before = self._weigh()
        self.most = dict(self.before)

    def _weigh(self) -> dict[str, int]:
        return {name: memory_bytes(worker) // MIB for name, worker in self._workers.items()}

    async def watch(self) -> None:
        """Weighs until it is cancelled."""
        while True:
            await asyncio.sleep(0.25)
            for name, weight in self._weigh().items():
                self.most[name] = max(self.most[name], weight)

    @property
    def grown(self) -> dict[str, int]:
        """By how many MiB each worker grew at most."""
        return {name: most - self.before[name] for name, most in self.most.items()}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_loop_of_thousands_of_items(shared_installation: SharedInstallation) -> None:
    """It ends with every output in its place, on both workers, and neither flow nor a worker grows by what it could not afford."""

    async def main(made: Installation) -> None:
        await made.define(CROWD)
        first, second = shared_installation.services
        scales = Scales({"flow": shared_installation.flow, "first": first, "second": second})
        watching = asyncio.create_task(scales.watch())
        begin = time.monotonic()
        run = await made.submit("crowd", {"numbers": list(range(ITEMS))})
        found = (await made.output(run, 240))["all"]
        took = time.monotonic() - begin
        watching.cancel()
        assert [one["n"] for one in found] == list(range(1, ITEMS + 1))
        share = Counter(one["worker"] for one in found)
        assert len(share) == 2
        assert min(share.values()) > ITEMS // 4, share
        assert scales.grown["flow"] < 100, scales.grown
        assert max(scales.grown["first"], scales.grown["second"]) < 50, scales.grown
        received = Counter(one.name for one in made.received[run])
        assert (received["node.started"], received["node.finished"]) == (ITEMS, ITEMS + 1)
        log.info(
            "%.1f s, %.0f items/s, %s, before %s, most %s MiB", took, ITEMS / took, share, scales.before, scales.most
        )

    shared_installation.run(main(shared_installation.installation))


def test_a_loop_of_nothing_ends_at_once(shared_installation: SharedInstallation) -> None:
    """No item at all: the loop's value is the empty list, and no service is asked."""

    async def main(made: Installation) -> None:
        await made.define(CROWD)
        run = await made.submit("crowd", {"numbers": []})
        assert await made.output(run) == {"all": []}
        assert "node.started" not in {one.name for one in made.received[run]}

    shared_installation.run(main(shared_installation.installation))


@pytest.mark.slow
def test_everything_delivered_twice_happens_once(shared_installation: SharedInstallation) -> None:
    """Each request, task, token and order is sent again with its headers as it comes: every run ends once, with one result."""

    async def main(made: Installation) -> None:
        await made.define(JOINS_AND_LOOPS)
        names = made.harness.connections.names
        topics = [
            names.requests("braid"),
            names.tasks("bump", 1),
            names.named("flow.tokens"),
            names.named("run.control"),
        ]
        copied: Counter[str] = Counter()
        copying = asyncio.create_task(_copy(made, topics, copied))
        await until(lambda: "ready" in copied, 30, "the copier")
        numbers = range(40)
        runs = await made.submit_all("braid", ({"n": n} for n in numbers))
        wanted = dict(zip(runs, map(expected_output, numbers), strict=True))
        await made.all_ended(120)
        await until(lambda: copied[topics[0]] == len(runs), 30, "copies of every request")
        await until(lambda: _settled(made, topics), 60, "the handling of every copy")
        copying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await copying
        assert all(copied[topic] for topic in topics[:3]), copied
        received = {one: list(made.received[one]) for one in runs}
        for one in runs:
            made.follow(one)
        await made.all_ended(60)
        assert {one: made.received[one] for one in runs} == received
        await made.verify(wanted)

    shared_installation.run(main(shared_installation.installation))


async def _copy(made: Installation, topics: list[str], copied: Counter[str]) -> None:
    """Sends every new record of these topics again, into its own partition, with its key and its headers and one more."""
    consumer = AIOKafkaConsumer(
        *topics, **made.harness.settings.brokers.aiokafka(), auto_offset_reset="latest", fetch_max_wait_ms=50
    )
    await consumer.start()
    try:
        await consumer.seek_to_end()
        for place in consumer.assignment():
            await consumer.position(place)
        copied["ready"] = 1
        async for record in consumer:
            if ("test-copy", b"1") not in record.headers:
                headers = (*record.headers, ("test-copy", b"1"))
                again = Outgoing(record.topic, record.key, record.value, headers, record.partition)
                await made.harness.connections.producer.send(again)
                copied[record.topic] += 1
    finally:
        await consumer.stop()


async def _settled(made: Installation, topics: list[str]) -> bool:
    """Whether everything in these topics has been acknowledged."""
    harness = made.harness
    places = [Place(topic, number) for topic in topics for number in range(harness.settings.partitions)]
    lags: dict[str, Any] = {}
    for group in ("flow", "bump"):
        mine = [place for place in places if ("task." in place.topic) is (group == "bump")]
        lags[group] = await harness.connections.offsets.lag(harness.settings.topic_prefix + group, mine)
    return not any(sum(lag.values()) for lag in lags.values())
