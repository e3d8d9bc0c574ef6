"""Objects of ended runs: removed when their time is over, and no others, while the history stays."""

import asyncio
import contextlib
import dataclasses
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from agents.workers.sweeper import Sweeper
from streams.runtime.connections.connections import Connections
from streams.runtime.history import tables
from streams.settings import Settings
from tests.integration.support.gateway_world import database, drop
from tests.integration.support.rig import Rig, alone
from tests.integration.support.waiting import until

BRIEF = """
pipeline: brief
summary: Its objects go soon
retain: 1h
input: {n: int}
nodes: {}
output: {n: "${n}"}
"""
USUAL = BRIEF.replace("brief", "usual").replace("retain: 1h\n", "")
HOUR, DAY = 3600.0, 86_400.0


class Cellar(Rig):
    """A rig with a history of its own, and runs in it that ended some time ago."""

    async def run_of(self, digest: str, ended: float | None) -> str:
        """A run with two objects that ended so many seconds ago, or not yet."""
        run = str(uuid.uuid4())
        for data in (b"in", b"out"):
            await self.parts.store.put(run, data, "text/plain")
        async with await tables.connected(self.settings.postgres) as link:
            await link.execute(
                "insert into runs (run, pipeline, digest, status, partition, accepted_at, updated_at, ended_at)"
                " values (%s, 'p', %s, %s, 0, now() - interval '99 days', now(), now() - make_interval(secs => %s))",
                [run, digest, "running" if ended is None else "finished", ended],
            )
        return run

    async def objects(self, run: str) -> int:
        """How many objects a run has."""
        return len(await self.parts.store.list(f"runs/{run}/"))

    def swept(self) -> set[str]:
        """The runs that count as swept."""
        with psycopg.connect(self.settings.postgres) as link:
            return {run for (run,) in link.execute("select run from runs where swept_at is not null")}


@contextlib.asynccontextmanager
async def cellar(settings: Settings, folder: Path) -> AsyncIterator[Cellar]:
    """A cellar of its own."""
    address, schema = database(settings.postgres)
    try:
        async with await tables.connected(address):
            pass  # the tables are there
        async with Cellar(dataclasses.replace(alone(settings), postgres=address), folder) as made:
            yield made
    finally:
        drop(settings.postgres, schema)


@contextlib.asynccontextmanager
async def sweeping(parts: Connections, count: int = 1, **options: Any) -> AsyncIterator[None]:
    """Sweepers at work."""
    sweepers = [Sweeper(parts, **options) for _ in range(count)]
    for one in sweepers:
        one.start()
    try:
        yield
    finally:
        await asyncio.gather(*(one.stop() for one in sweepers))


def test_objects_go_when_their_time_is_over(settings: Settings, tmp_path: Path) -> None:
    """After seven days, or after what the pipeline says; what has not ended, or not for so long, and other places stay."""

    async def main() -> None:
        async with cellar(settings, tmp_path) as made:
            brief = (await made.publish(BRIEF, {})).digest
            old, new = await made.run_of("d" * 64, 8 * DAY), await made.run_of("d" * 64, 6 * DAY)
            over, not_yet = await made.run_of(brief, 2 * HOUR), await made.run_of(brief, 0.5 * HOUR)
            going = await made.run_of(brief, None)
            kept = f"datasets/objects/{uuid.uuid4().hex}"
            await made.parts.store.write(kept, b"in")
            async with sweeping(made.parts):
                await until(lambda: made.swept() == {old, over}, 30, "the end of both")
            assert [await made.objects(run) for run in (old, over)] == [0, 0]
            assert [await made.objects(run) for run in (new, not_yet, going)] == [2, 2, 2]
            assert await made.parts.store.has(kept)

    asyncio.run(main())


def test_several_sweep_at_once(settings: Settings, tmp_path: Path) -> None:
    """More runs than one takes at a time are all swept, by whoever comes first."""

    async def main() -> None:
        async with cellar(settings, tmp_path) as made:
            runs = await asyncio.gather(*(made.run_of("d" * 64, 8 * DAY) for _ in range(70)))
            async with sweeping(made.parts, 3):
                await until(lambda: made.swept() == set(runs), 30, "the end of all")
            assert sum([await made.objects(run) for run in runs]) == 0

    asyncio.run(main())


def test_a_store_that_is_away_is_asked_again(
    settings: Settings, tmp_path: Path, unused_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    """While S3 is away no run counts as swept; when it is back, they are."""

    async def main() -> None:
        async with cellar(settings, tmp_path) as made:
            run = await made.run_of("d" * 64, 8 * DAY)
            nowhere = dataclasses.replace(made.settings, s3=f"http://127.0.0.1:{unused_port}")
            async with Connections.of(nowhere, "test") as parts, sweeping(parts, period=0.1):
                said = "objects of ended runs stay for now"
                await until(lambda: said in caplog.text, 60, said)
            assert made.swept() == set()
            async with sweeping(made.parts):
                await until(lambda: made.swept() == {run}, 30, "the end")

    asyncio.run(main())


def test_the_recorder_sweeps(settings: Settings, tmp_path: Path) -> None:
    """Beside a recorder whose installation keeps objects for a second, those of an ended run go, and its history stays."""

    async def main() -> None:
        async with cellar(settings, tmp_path) as made:
            await made.publish(USUAL, {})
            await made.start("flow", "recorder", MILLRACE_RETAIN="1")
            run = str(uuid.uuid4())
            await made.parts.store.put(run, b"sent", "text/plain")
            await made.submit("usual", {"n": 7}, run)
            assert await made.output(run) == {"n": 7}
            await until(lambda: made.swept() == {run}, 30, "the end of its objects")
            assert await made.objects(run) == 0
            with psycopg.connect(made.settings.postgres) as link:
                assert link.execute("select status, output from runs").fetchall() == [("finished", {"n": 7})]

    asyncio.run(main())
