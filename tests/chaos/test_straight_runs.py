"""Straight runs on the real parts: begun by the gateway, ended by their last worker, told to other systems by flow."""

import asyncio
import dataclasses
import functools
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from schemas.results import result_schema
from streams.settings import Settings
from tests.chaos.installation import CHEAP_SERVICES, FLOW, Installation, installation, run
from tests.integration.support.waiting import until

CHAIN = """
pipeline: chain
summary: Three services, one behind the other
input:
  n: {type: int, summary: A number}
nodes:
  one_more: {service: bump, with: {n: "${n}"}}
  two_more: {service: bump, with: {n: "${one_more.n}"}}
  three_more: {service: bump, with: {n: "${two_more.n}"}}
output: {n: "${three_more.n}", worker: "${three_more.worker}"}
"""
"""Its output says which worker was the last: done twice, a task gives another answer."""
PAUSE = """
pipeline: pause
summary: Takes its time
timeout: TIMEOUT
input:
  seconds: {type: float, summary: How long}
nodes:
  rest: {service: rest, with: {seconds: "${seconds}"}}
output: {seconds: "${rest.seconds}"}
"""
AT_ONCE = """
pipeline: at-once
summary: Needs no service
input:
  n: {type: int, summary: A number}
nodes:
  more: {value: "${n + 1}"}
output: {n: "${more}"}
"""
IN_FLIGHT = 300
PROGRESS = 100
"""Events from the moment that all are in flight until the kills."""
KILLS = ((0,), (0, 1))
"""Which of the two workers of flow, and which of the two of services, are killed at the same moment."""


@asynccontextmanager
async def straight(settings: Settings, folder: Path) -> AsyncIterator[Installation]:
    """An installation whose runs begin in the gateway where they can."""
    async with installation(dataclasses.replace(settings, straight_runs=True), folder) as made:
        yield made


def kinds(made: Installation, name: str) -> list[str]:
    """What a run's client was shown, in order."""
    return [event.name for event in made.received[name]]


async def results(made: Installation, pipeline: str) -> dict[str, list[dict[str, Any]]]:
    """What other systems were told, by run: each different answer once."""
    schema = result_schema(pipeline, made.harness.topology(pipeline).output)
    answers: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in await made.harness.results(pipeline):
        value = await made.harness.connections.codec.decode(record.value or b"", schema)
        if value not in answers[value["run"]]:
            answers[value["run"]].append(value)
    return answers


async def answer(made: Installation, pipeline: str, name: str) -> dict[str, Any]:
    """The one answer that other systems get of a run, waiting for it."""

    async def came() -> list[dict[str, Any]]:
        return (await results(made, pipeline))[name]

    (value,) = await until(came, 60, f"the result of {name}")
    return dict(value)


def requests_of(made: Installation, pipeline: str) -> Any:
    """The offsets of a pipeline's requests."""
    return made.harness.connections.offsets.partitions(made.harness.connections.names.requests(pipeline))


def test_a_run_needs_flow_for_its_result_only(settings: Settings, tmp_path: Path) -> None:
    """Without flow, clients see its end; once flow is back, other systems are told the same. No request was written for it."""

    async def main() -> None:
        async with straight(settings, tmp_path) as made:
            flow, _ = await asyncio.gather(made.flow(), made.service())
            await made.define(CHAIN)
            await made.define(AT_ONCE)
            await made.output(await made.submit("chain", {"n": 1}))
            flow.kill()
            name = await made.submit("chain", {"n": 5})
            output = await made.output(name)
            assert output["n"] == 8
            started = ["node.started", "node.finished"]
            assert kinds(made, name) == ["run.accepted", *started, *started, *started, "run.finished"]
            instant = await made.submit("at-once", {"n": 1})
            assert await made.output(instant) == {"n": 2}
            assert name not in await results(made, "chain")
            await made.flow()
            assert (await answer(made, "chain", name))["output"] == output
            assert (await answer(made, "at-once", instant))["output"] == {"n": 2}
            offsets = made.harness.connections.offsets
            for pipeline in ("chain", "at-once"):
                assert set((await offsets.ends(await requests_of(made, pipeline))).values()) == {0}
            await made.recorded()

    run(main())


def test_a_run_that_kafka_asked_for_is_straight_too(settings: Settings, tmp_path: Path) -> None:
    """Flow begins it, and asked for twice it is one run."""

    async def main() -> None:
        async with straight(settings, tmp_path) as made:
            await asyncio.gather(made.flow(), made.service())
            await made.define(CHAIN)
            name = str(uuid.uuid4())
            for _ in range(2):
                await made.harness.submit("chain", {"n": 1}, name)
            value = await answer(made, "chain", name)
            assert (value["status"], value["output"]["n"]) == ("finished", 4)

            async def seen() -> bool:
                return (await made.get(f"/runs/{name}"))[0] == 200

            await until(seen, 30, "the run")
            made.follow(name)
            assert (await made.end(name)).data["output"] == value["output"]
            assert kinds(made, name).count("run.accepted") == 1

    run(main())


def test_a_cancelled_run_ends_at_once_and_once(settings: Settings, tmp_path: Path) -> None:
    """What its worker says afterwards changes nothing, neither for clients nor for other systems."""

    async def main() -> None:
        async with straight(settings, tmp_path) as made:
            await asyncio.gather(made.flow(), made.service())
            await made.define(PAUSE.replace("TIMEOUT", "60s"))
            name = await made.submit("pause", {"seconds": 30.0})
            await until(lambda: "node.started" in kinds(made, name), 30, "its start")
            async with made.http.delete(f"/runs/{name}") as response:
                assert response.status == 202, await response.text()
            assert (await made.end(name, 20)).name == "run.cancelled"
            assert (await answer(made, "pause", name))["status"] == "cancelled"
            short = await made.submit("pause", {"seconds": 0.1})  # its worker is free again
            assert await made.output(short) == {"seconds": 0.1}
            assert [value["status"] for value in (await results(made, "pause"))[name]] == ["cancelled"]
            await made.recorded()

    run(main())


def test_a_run_without_a_worker_ends_at_its_deadline(settings: Settings, tmp_path: Path) -> None:
    """Flow ends it, also when flow was killed since the run began; a worker that comes later does not do its task."""

    async def main() -> None:
        async with straight(settings, tmp_path) as made:
            flow, service = await asyncio.gather(made.flow(), made.service())
            await made.define(PAUSE.replace("TIMEOUT", "8s"))
            await made.output(await made.submit("pause", {"seconds": 0.0}))
            service.kill()
            name = await made.submit("pause", {"seconds": 0.0})
            await until(lambda: "run.accepted" in kinds(made, name), 30, "its acceptance")
            flow.kill()
            await made.flow()
            last = await made.end(name, 60)
            assert (last.name, last.data["reason"]) == ("run.failed", "the run's deadline passed")
            assert (await answer(made, "pause", name))["status"] == "failed"
            await made.service()
            await made.output(await made.submit("pause", {"seconds": 0.0}))
            assert "node.started" not in kinds(made, name)
            assert len((await results(made, "pause"))[name]) == 1

    run(main())


def test_a_long_run_outlives_the_flow_that_saw_it_begin(settings: Settings, tmp_path: Path) -> None:
    """The next flow tells other systems of its end."""

    async def main() -> None:
        async with straight(settings, tmp_path) as made:
            flow, _ = await asyncio.gather(made.flow(), made.service())
            await made.define(PAUSE.replace("TIMEOUT", "60s"))
            names = [await made.submit("pause", {"seconds": seconds}) for seconds in (4.0, 0.3)]
            await until(
                lambda: kinds(made, names[1])[-1:] == ["run.finished"] or len(kinds(made, names[0])) > 1, 30, "work"
            )
            flow.kill()
            await made.flow()
            for name, seconds in zip(names, (4.0, 0.3), strict=True):
                assert await made.output(name) == {"seconds": seconds}
                assert (await answer(made, "pause", name))["output"] == {"seconds": seconds}
            await made.recorded()

    run(main())


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_workers_that_are_killed_tell_no_two_truths(settings: Settings, tmp_path: Path) -> None:
    """Kill -9 of workers of flow and of services amid hundreds of runs whose answers say who gave them.

    Each run ends once, and clients, other systems and the history have the same answer.
    """

    async def main() -> None:
        async with straight(settings, tmp_path) as made:
            flows = list(await asyncio.gather(made.flow(), made.flow()))
            services = list(await asyncio.gather(made.service(), made.service()))
            await made.define(CHAIN)
            wanted: dict[str, int] = {}
            for places in KILLS:
                for worker in services:
                    worker.hold()
                numbers = range(len(wanted), len(wanted) + IN_FLIGHT)
                names = await made.submit_all("chain", ({"n": number} for number in numbers))
                wanted.update(zip(names, numbers, strict=True))
                seen = made.seen
                for worker in services:
                    worker.let_go()
                await until(functools.partial(_told, made, seen + PROGRESS), 90, "progress")
                for workers, role in ((flows, FLOW), (services, (CHEAP_SERVICES,))):
                    for place in places:
                        workers[place].kill()
                    for place in places:
                        workers[place] = made.harness.launch(*role)
                await until(lambda: all(worker.ready for worker in (*flows, *services)), 60, "workers in their place")
            await made.all_ended(120)
            for name in wanted:
                await answer(made, "chain", name)
            answers = await results(made, "chain")
            for name, number in wanted.items():
                last = made.received[name][-1]
                assert (last.name, last.data["output"]["n"]) == ("run.finished", number + 3)
                assert [value["output"] for value in answers[name]] == [last.data["output"]]
            await made.recorded()

    run(main())


def _told(made: Installation, count: int) -> bool:
    return made.seen >= count
