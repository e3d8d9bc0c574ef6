"""What happens to runs when workers and brokers die: every run ends exactly once, and none is lost."""

import asyncio
import dataclasses
import functools
import json
import uuid
from pathlib import Path

import psutil
import pytest

from infra.local.stack import Stack
from schemas.results import result_schema
from streams.messages import EventKind
from streams.settings import Settings
from tests.integration.rig import Rig, WorkerProcess, rig
from tests.integration.town import CHORES
from tests.integration.waiting import until

SUM = """
pipeline: sum
input: {n: int}
nodes:
  a: {service: add-one, with: {n: "${n}"}}
  b: {service: add-one, with: {n: "${n}"}}
  c: {service: add-one, with: {n: "${a.n + b.n}"}}
output: {total: "${c.n}"}
"""
NAP = """
pipeline: nap
input: {seconds: float}
nodes:
  sleep: {service: naps, with: {seconds: "${seconds}"}}
output: {seconds: "${sleep.seconds}"}
"""
MEET = """
pipeline: meet
input: {seconds: float}
nodes:
  quick: {service: add-one, with: {n: 1}}
  slow: {service: naps, with: {seconds: "${seconds}"}}
output: {n: "${quick.n}", seconds: "${slow.seconds}"}
timeout: 60s
"""
IN_FLIGHT = 500
KILLS = 10


class Load:
    """Keeps so many runs of `sum` in flight, and knows what each must give."""

    def __init__(self, made: Rig) -> None:
        self.rig = made
        self.wanted: dict[str, int] = {}

    @property
    def open(self) -> int:
        """Runs that have not ended."""
        return sum(self.rig.end(run) is None for run in self.wanted)

    async def fill(self) -> None:
        """Submits as many runs as are missing."""
        fresh = {str(uuid.uuid4()): len(self.wanted) + number for number in range(IN_FLIGHT - self.open)}
        self.wanted.update(fresh)
        await self.rig.parts.producer.send_all(
            [await self.rig.request("sum", {"n": n}, run) for run, n in fresh.items()]
        )

    async def progress(self) -> None:
        """Waits until some more runs have ended: whatever is killed then is in the middle of work."""
        before = len(self.wanted) - self.open
        await until(lambda: len(self.wanted) - self.open > before + 20, 60, "progress")

    async def verify(self, seconds: float) -> None:
        """Every run ends once with the right output: in its events, and in the results once duplicates are dropped."""
        await until(lambda: not self.open, seconds, "the end of every run")
        for run, n in self.wanted.items():
            events = self.rig.client_events(run)
            ends = [told for told in events if told.event.kind.terminal]
            assert [told.event.kind for told in ends] == [EventKind.RUN_FINISHED], self.rig.story(run)
            assert ends[0].event.data["output"] == {"total": 2 * n + 3}
            assert events[-1] is ends[0]
        schema = result_schema("sum", self.rig.topology("sum").output)
        answers: dict[str, object] = {}
        for record in await self.rig.results("sum"):
            value = await self.rig.parts.codec.decode(record.value or b"", schema)
            assert answers.setdefault(value["run"], value["output"]) == value["output"]
        assert answers == {run: {"total": 2 * n + 3} for run, n in self.wanted.items()}


def restarted(made: Rig, old: WorkerProcess) -> WorkerProcess:
    """What a supervisor does: the worker is killed, and another one started in its place."""
    old.kill()
    return made.launch(CHORES, "flow", "--quiet")


@pytest.mark.timeout(240)
def test_workers_that_are_killed_lose_nothing(settings: Settings, tmp_path: Path) -> None:
    """Ten times kill -9 of a worker with 500 runs in flight: every run ends once, with its own output."""

    async def main() -> None:
        async with rig(settings, tmp_path) as made:
            workers = list(await asyncio.gather(*(made.start(CHORES, "flow") for _ in range(3))))
            await made.publish(SUM)
            load = Load(made)
            await load.fill()
            await until(lambda: all(map(_has_worked, workers)), 60, "work on all")
            for number in range(KILLS):
                place = number % len(workers)
                await until(functools.partial(_serves, workers[place]), 60, "a worker to be killed")
                await load.fill()
                await load.progress()
                assert load.open > 0
                workers[place] = restarted(made, workers[place])
            await load.verify(120)

    asyncio.run(main())


def _groups(worker: WorkerProcess) -> dict[str, dict[str, int]]:
    """How a worker says that its groups are; empty when it has not said it yet."""
    assert worker.process.poll() is None, worker.log.read_text()[-3000:]
    health = list(worker.home.glob(f"workers/*-{worker.process.pid}-*.json"))
    groups: dict[str, dict[str, int]] = json.loads(health[0].read_text())["groups"] if health else {}
    return groups


def _serves(worker: WorkerProcess) -> bool:
    return any(group["partitions"] for group in _groups(worker).values())


def _has_worked(worker: WorkerProcess) -> bool:
    return any(group["finished"] for name, group in _groups(worker).items() if name.endswith("add-one"))


@pytest.mark.timeout(240)
def test_a_broker_that_is_killed_loses_nothing(settings: Settings, tmp_path: Path) -> None:
    """Kill -9 of the broker, twice, with runs in flight: the workers live through it, and every run ends once."""

    async def main(own: Settings, stack: Stack) -> None:
        async with rig(own, tmp_path) as made:
            worker = await made.start(CHORES, "flow")
            await made.publish(SUM)
            load = Load(made)
            for _ in range(2):
                await load.fill()
                await load.progress()
                await asyncio.to_thread(stack.restart, "kafka", kill=True)
            await load.verify(120)
            assert worker.process.poll() is None
            assert worker.end() == 0

    with Stack(tmp_path / "home", ["kafka"], preferred=False) as stack:
        own = dataclasses.replace(settings, kafka=stack.settings.kafka)
        asyncio.run(main(own, stack))


@pytest.mark.timeout(120)
def test_a_worker_leaves_and_another_comes(settings: Settings, tmp_path: Path) -> None:
    """SIGTERM: work under way ends, the announcements are withdrawn, the status is 0, no child stays. A run then says what
    it waits for, and goes on when a worker comes.
    """

    async def main() -> None:
        async with rig(settings, tmp_path) as made:
            await made.start("flow")
            worker = await made.start(CHORES)
            await made.publish(NAP)
            run = await made.submit("nap", {"seconds": 2.0})
            await until(lambda: made.told(run, EventKind.STARTED))
            family = psutil.Process(worker.process.pid).children(recursive=True)
            assert await asyncio.to_thread(worker.end) == 0
            assert await made.output(run) == {"seconds": 2.0}
            assert len(made.told(run, EventKind.STARTED)) == 1
            await until(lambda: not made.services.standing(), 5, "withdrawal")
            _, alive = psutil.wait_procs(family, timeout=5)
            assert not alive

            waiting = await made.submit("nap", {"seconds": 0.0})
            (told,) = await until(lambda: made.told(waiting, EventKind.WAITING))
            assert told.event.data["service"] == "naps"
            await made.start(CHORES)
            assert await made.output(waiting) == {"seconds": 0.0}

    asyncio.run(main())


@pytest.mark.timeout(120)
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
