"""What of a run stays when flow does not: its joins, its deadline, and what was asked for while nobody was there."""

import asyncio
from pathlib import Path
from typing import Any

from schemas.results import result_schema
from streams.messages import EventKind
from streams.runtime.connections.dead_letters import DeadLetters
from streams.settings import Settings
from tests.integration.support.rig import rig
from tests.integration.support.town import CHORES
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
        async with rig(settings, tmp_path) as made:
            await made.start(CHORES, MILLRACE_WORKERS="4")
            flow = await made.start("flow")
            await made.publish(MEET)
            late = MEET.replace("meet", "late").replace("60s", "9s")
            await made.publish(late)
            runs = [await made.submit("meet", {"seconds": 3.0}) for _ in range(2)]
            hopeless = await made.submit("late", {"seconds": 25.0})
            await until(
                lambda: all(made.told(run, EventKind.FINISHED) for run in [*runs, hopeless]), 30, "the quick sides"
            )
            flow.kill()
            await made.start("flow")
            for run in runs:
                assert await made.output(run, 60) == {"n": 2, "seconds": 3.0}
            last = await made.ended(hopeless, 60)
            assert last.event.kind is EventKind.RUN_FAILED
            assert "deadline" in last.event.data["reason"]

    asyncio.run(main())


def test_a_run_whose_pipeline_is_removed_before_it_begins(settings: Settings, tmp_path: Path) -> None:
    """It was accepted, so it ends: it fails and says why, once, in its events and on the results; the next one runs."""

    async def main() -> None:
        async with rig(settings, tmp_path) as made:
            await made.publish(DOUBLE, {})
            topology = made.topology("double")
            run = await made.submit("double", {"n": 1})
            await made.writer.remove("double")
            await made.start("flow")
            last = await made.ended(run)
            assert last.event.kind is EventKind.RUN_FAILED
            assert last.event.data["reason"] == "pipeline double was removed before the run began"
            assert last.event.data["hint"]
            assert [told.event.kind for told in made.client_events(run)] == [EventKind.ACCEPTED, EventKind.RUN_FAILED]
            (letter,) = [one async for one in DeadLetters(made.parts).read()]
            assert letter.run == run
            schema = result_schema("double", topology.output)

            async def answer() -> Any:
                found = await made.results("double")
                return found and await made.parts.codec.decode(found[0].value or b"", schema)

            result = await until(answer, 10, "the result")
            assert (result["run"], result["status"]) == (run, "failed")

            await made.publish(DOUBLE, {})
            assert await made.output(await made.submit("double", {"n": 2})) == {"n": 4}

    asyncio.run(main())
