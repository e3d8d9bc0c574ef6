"""Records that cannot be served: they block no others, and one that ends its worker again and again is isolated."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from streams.messages import EventKind
from streams.runtime.connections.dead_letters import DeadLetters
from streams.runtime.delivery.redelivery import MAX_DELIVERIES
from streams.settings import Settings
from tests.integration.support.runtime_harness import RuntimeHarness, isolated
from tests.integration.support.waiting import until

SAMPLE_SERVICES = "tests.integration.support.sample_services"
TASTE = """
pipeline: tasting
input: {text: string}
nodes: {taste: {service: poison, with: {text: "${text}"}, retry: {attempts: 2, backoff: 5s}}}
output: {text: "${taste.text}"}
"""
DEADLY = """
pipeline: deadly
input: {n: int, mark: string}
nodes: {kill: {service: assassin, with: {n: "${n}", mark: "${mark}"}, retry: {attempts: 3, backoff: 0.2s}}}
output: {n: "${kill.n}"}
"""


async def kept_alive(harness: RuntimeHarness, done: Callable[[], bool], *names: str) -> int:
    """Start the worker again whenever it dies, as a supervisor does, until `done`. Returns how often it died.

    It may die before it is seen to serve: the record that ends it waits already.
    """
    deaths = 0
    worker = harness.launch(*names)
    while not done():
        if worker.process.poll() is not None:
            deaths += 1
            worker = harness.launch(*names)
        await asyncio.sleep(0.1)
    return deaths


def test_a_record_that_fails_does_not_block_its_partition(settings: Settings, tmp_path: Path) -> None:
    """While one record waits for its next attempt, those behind it in the same partition are served."""

    async def main() -> None:
        async with RuntimeHarness(isolated(settings, partitions=1), tmp_path) as harness:
            await harness.start(SAMPLE_SERVICES, "flow", "retry")
            await harness.publish(TASTE)
            bad = await harness.submit("tasting", {"text": "fail"})
            await until(lambda: harness.events_of(bad, EventKind.RETRYING))
            good = [await harness.submit("tasting", {"text": f"apple {n}"}) for n in range(20)]
            for run in good:
                await harness.ended(run)
            assert harness.end(bad) is None, "the bad one has had its second attempt already"
            assert (await harness.ended(bad)).event.kind is EventKind.RUN_FAILED

    asyncio.run(main())


def test_a_record_that_ends_its_worker_is_isolated(settings: Settings, tmp_path: Path) -> None:
    """After a bounded number of deaths the record is given up: its run fails and says so, it is a dead letter, others finish."""

    async def main() -> None:
        async with RuntimeHarness(isolated(settings, partitions=2), tmp_path) as harness:
            await harness.start("flow", "retry")
            first = await harness.start(SAMPLE_SERVICES)
            await harness.publish(DEADLY)
            first.kill()
            mark, other = tmp_path / "deadly", tmp_path / "harmless"
            good = [await harness.submit("deadly", {"n": n + 1, "mark": str(other)}) for n in range(4)]
            bad = await harness.submit("deadly", {"n": 0, "mark": str(mark)})
            good += [await harness.submit("deadly", {"n": n + 5, "mark": str(other)}) for n in range(4)]

            def over() -> bool:
                return all(harness.end(run) is not None for run in (bad, *good))

            deaths = await asyncio.wait_for(kept_alive(harness, over, SAMPLE_SERVICES), 150)
            assert len(mark.read_text()) == deaths <= MAX_DELIVERIES + 1
            end = await harness.ended(bad)
            assert end.event.kind is EventKind.RUN_FAILED
            assert "its worker died" in end.event.data["reason"]
            assert [(await harness.output(run))["n"] for run in good] == list(range(1, 9))
            (letter,) = [letter async for letter in DeadLetters(harness.connections).read() if letter.run == bad]
            assert (letter.consumer, letter.path) == ("assassin", "kill")
            assert (
                await harness.connections.store.list(f"deliveries/{harness.connections.group('assassin')}/task") == []
            )

    asyncio.run(main())
