"""What survives a restart of flow: a run's joins, its deadline, and requests that came meanwhile."""

import asyncio
from pathlib import Path
from typing import Any

from schemas.results import result_schema
from streams.messages import EventKind
from streams.runtime.connections.dead_letters import DeadLetters
from streams.settings import Settings
from tests.integration.support.runtime_harness import runtime_harness
from tests.integration.support.shared_runtime import SAMPLE_SERVICES
from tests.integration.support.waiting import until

MEET = """
pipeline: meet
input: {seconds: float}
nodes:
  quick: {service: add-one, with: {n: 1}}
  slow: {service: naps, with: {seconds: "${seconds}"}}
output: {n: "${quick.n}", seconds: "${slow.seconds}"}
timeout: 60s
"""
DOUBLE = """
pipeline: double
input: {n: int}
nodes: {}
output: {n: "${n * 2}"}
"""


def test_state_moves_to_another_worker(settings: Settings, tmp_path: Path) -> None:
    """A join that waits when its flow worker is killed closes on another one, and a deadline still comes there."""

    async def main() -> None:
        async with runtime_harness(settings, tmp_path) as runtime:
            await runtime.start(SAMPLE_SERVICES, MILLRACE_WORKERS="4")
            flow = await runtime.start("flow")
            await runtime.publish(MEET)
            late = MEET.replace("meet", "late").replace("60s", "9s")
            await runtime.publish(late)
            runs = [await runtime.submit("meet", {"seconds": 3.0}) for _ in range(2)]
            hopeless = await runtime.submit("late", {"seconds": 25.0})
            await until(
                lambda: all(runtime.events_of(run, EventKind.FINISHED) for run in [*runs, hopeless]),
                30,
                "the quick sides",
            )
            flow.kill()
            await runtime.start("flow")
            for run in runs:
                assert await runtime.output(run, 60) == {"n": 2, "seconds": 3.0}
            last = await runtime.ended(hopeless, 60)
            assert last.event.kind is EventKind.RUN_FAILED
            assert "deadline" in last.event.data["reason"]

    asyncio.run(main())


def test_a_run_whose_pipeline_is_removed_before_it_begins(settings: Settings, tmp_path: Path) -> None:
    """It was accepted, so it ends: it fails and says why, once, in its events and on the results; the next one runs."""

    async def main() -> None:
        async with runtime_harness(settings, tmp_path) as runtime:
            await runtime.publish(DOUBLE, {})
            topology = runtime.topology("double")
            run = await runtime.submit("double", {"n": 1})
            await runtime.writer.remove("double")
            await runtime.start("flow")
            last = await runtime.ended(run)
            assert last.event.kind is EventKind.RUN_FAILED
            assert last.event.data["reason"] == "pipeline double was removed before the run began"
            assert last.event.data["hint"]
            assert [sent.event.kind for sent in runtime.client_events(run)] == [
                EventKind.ACCEPTED,
                EventKind.RUN_FAILED,
            ]
            (letter,) = [letter async for letter in DeadLetters(runtime.connections).read()]
            assert letter.run == run
            schema = result_schema("double", topology.output)

            async def answer() -> Any:
                results = await runtime.results("double")
                return results and await runtime.connections.codec.decode(results[0].value or b"", schema)

            result = await until(answer, 10, "the result")
            assert (result["run"], result["status"]) == (run, "failed")

            await runtime.publish(DOUBLE, {})
            assert await runtime.output(await runtime.submit("double", {"n": 2})) == {"n": 4}

    asyncio.run(main())
