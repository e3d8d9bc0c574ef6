"""Runs that would hold an installation, or take its memory, beside runs that go on: on the real parts."""

import asyncio
import dataclasses
import re
from pathlib import Path

import psutil

from streams.messages import Action, Control, EventKind
from streams.runtime.connections.dead_letters import DeadLetters
from streams.runtime.delivery.redelivery import MAX_DELIVERIES
from streams.settings import Settings
from tests import attacks
from tests.integration.support.deadly_flow import DEADLY
from tests.integration.support.runtime_harness import RuntimeHarness, isolated
from tests.integration.support.waiting import until

SMALL = """
pipeline: small
input: {n: int}
output: {n: "${n * 2}"}
"""
SAYS = """
pipeline: says
input: {text: string}
output: {text: "${text + '!'}"}
"""
SWELLING = f"""
pipeline: swelling
input: {{text: string}}
{attacks.SWELLING}"""
MATCHING = """
pipeline: matching
input: {text: string}
nodes:
  grow:
    repeat: {n: 0}
    nodes: {m: {value: "${[1, 2, 3].all(i, !text.matches('(a|b|ab)*c'))}"}}
    next: {n: "${n + 1}"}
    until: m && n > 100000
    max: 10000
    output: "${n}"
output: {n: "${grow}"}
"""
FLOOD = """
pipeline: flood
limit: 1000000
input: {xs: [int]}
timeout: 600s
nodes:
  outer:
    each: {x: "${xs}"}
    concurrency: 1024
    nodes:
      inner:
        each: {y: "${xs}"}
        concurrency: 1024
        nodes: {v: {value: "${x + y}"}}
        output: "${v}"
    output: "${size(inner)}"
output: {n: "${size(outer)}"}
"""


async def neighbours(harness: RuntimeHarness, many: int = 30) -> None:
    """Runs of others, over every partition: all of them finish."""
    runs = [await harness.submit("small", {"n": n}) for n in range(many)]
    for n, run in enumerate(runs):
        assert await harness.output(run, 120) == {"n": 2 * n}


def test_runs_that_take_all_memory_or_all_time_fail_alone(settings: Settings, tmp_path: Path) -> None:
    """Each fails and says why; flow is the same process as before, no larger than a walk may make it, and others were served."""

    async def main() -> None:
        async with RuntimeHarness(isolated(settings, partitions=2), tmp_path) as harness:
            flow = await harness.start("flow")
            for text in (SMALL, SWELLING, MATCHING):
                await harness.publish(text)
            await neighbours(harness, 4)
            before = psutil.Process(flow.process.pid).memory_info().rss
            bad = [await harness.submit("swelling", {"text": "x" * 60_000}) for _ in range(3)]
            bad += [await harness.submit("matching", {"text": "ab" * 100_000}) for _ in range(3)]
            await neighbours(harness)
            for run in bad:
                end = await harness.ended(run, 120)
                assert end.event.kind is EventKind.RUN_FAILED
                assert "in a row without a service" in end.event.data["reason"]
            assert flow.process.poll() is None
            assert psutil.Process(flow.process.pid).memory_info().rss - before < 2 << 30

    asyncio.run(main())


def test_a_flood_of_items_blocks_nobody_and_stops_when_it_is_cancelled(settings: Settings, tmp_path: Path) -> None:
    """Nine million items to come: others go on beside them, what lies in the log is bounded, a cancellation is seen before it."""

    async def main() -> None:
        # Everybody shares one partition with it.
        async with RuntimeHarness(isolated(settings, partitions=1), tmp_path) as harness:
            await harness.start("flow")
            for text in (SMALL, FLOOD, FLOOD.replace("flood", "late").replace("600s", "8s")):
                await harness.publish(text)
            xs = list(range(3000))
            flood = await harness.submit("flood", {"xs": xs})
            await until(lambda: len(harness.events_of(flood, EventKind.FINISHED)) > 500, 60, "the flood")
            await neighbours(harness)
            assert harness.end(flood) is None, "it was over before its neighbours"
            await harness.connections.producer.send(
                await harness.connections.wire.control(Control(flood, Action.CANCEL))
            )
            assert (await harness.ended(flood, 60)).event.kind is EventKind.RUN_CANCELLED
            finished = len(harness.events_of(flood, EventKind.FINISHED))
            late = await harness.submit("late", {"xs": xs})
            end = (await harness.ended(late, 90)).event
            assert end.kind is EventKind.RUN_FAILED
            assert "deadline" in end.data["reason"]
            await neighbours(harness, 5)
            assert len(harness.client_events(flood)) < finished + 5000, "it went on after it was cancelled"

    asyncio.run(main())


def test_a_message_that_ends_flow_fails_its_run(settings: Settings, tmp_path: Path) -> None:
    """After a bounded number of deaths it is over: its run fails and says why, it is a dead letter, and every other run is served."""

    async def main() -> None:
        # Its run is to be opened by flow, so that flow takes a message of it.
        own = dataclasses.replace(isolated(settings, partitions=2), straight_runs=False)
        async with RuntimeHarness(own, tmp_path) as harness:
            deaths = tmp_path / "deaths"
            first = await harness.start("flow")
            await harness.publish(SAYS)
            first.kill()
            harness.module = "tests.integration.support.deadly_flow"
            bad = await harness.submit("says", {"text": DEADLY})
            good = [await harness.submit("says", {"text": f"hello {n}"}) for n in range(20)]
            worker = harness.launch("flow", MILLRACE_DEATHS=str(deaths))
            while any(harness.end(run) is None for run in (bad, *good)):
                if worker.process.poll() is not None:
                    assert worker.process.returncode == 137, worker.log.read_text()[-3000:]
                    worker = harness.launch("flow", MILLRACE_DEATHS=str(deaths))
                await asyncio.sleep(0.1)
            assert 1 <= len(deaths.read_text()) <= MAX_DELIVERIES + 1
            end = (await harness.ended(bad)).event
            assert end.kind is EventKind.RUN_FAILED
            assert "died each time" in end.data["reason"]
            assert [await harness.output(run) for run in good] == [{"text": f"hello {n}!"} for n in range(20)]
            (letter,) = [letter async for letter in DeadLetters(harness.connections).read() if letter.run == bad]
            assert re.fullmatch(r"flow died \d times while it took this", letter.reason)

    asyncio.run(asyncio.wait_for(main(), 200))
