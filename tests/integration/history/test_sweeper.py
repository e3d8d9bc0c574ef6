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
from tests.integration.support.runtime_harness import RuntimeHarness, isolated
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


class Cellar(RuntimeHarness):
    """A runtime harness with a history of its own, and runs in it that ended some time ago."""

    async def run_of(self, digest: str, ended: float | None) -> str:
        """A run with two objects that ended so many seconds ago, or not yet."""
        run = str(uuid.uuid4())
        for data in (b"in", b"out"):
            await self.connections.store.put(run, data, "text/plain")
        async with await tables.connected(self.settings.postgres) as link:
            await link.execute(
                "insert into runs (run, pipeline, digest, status, partition, accepted_at, updated_at, ended_at)"
                " values (%s, 'p', %s, %s, 0, now() - interval '99 days', now(), now() - make_interval(secs => %s))",
                [run, digest, "running" if ended is None else "finished", ended],
            )
        return run

    async def objects(self, run: str) -> int:
        """How many objects a run has."""
        return len(await self.connections.store.list(f"runs/{run}/"))

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
        async with Cellar(dataclasses.replace(isolated(settings), postgres=address), folder) as runtime:
            yield runtime
    finally:
        drop(settings.postgres, schema)


@contextlib.asynccontextmanager
async def sweeping(connections: Connections, count: int = 1, **options: Any) -> AsyncIterator[None]:
    """Sweepers at work."""
    sweepers = [Sweeper(connections, **options) for _ in range(count)]
    for sweeper in sweepers:
        sweeper.start()
    try:
        yield
    finally:
        await asyncio.gather(*(sweeper.stop() for sweeper in sweepers))


def test_objects_go_when_their_time_is_over(settings: Settings, tmp_path: Path) -> None:
    """After seven days, or after what the pipeline says; what has not ended, or not for so long, and other places stay."""

    async def main() -> None:
        async with cellar(settings, tmp_path) as runtime:
            brief = (await runtime.publish(BRIEF, {})).digest
            old, new = await runtime.run_of("d" * 64, 8 * DAY), await runtime.run_of("d" * 64, 6 * DAY)
            over, not_yet = await runtime.run_of(brief, 2 * HOUR), await runtime.run_of(brief, 0.5 * HOUR)
            going = await runtime.run_of(brief, None)
            kept = f"datasets/objects/{uuid.uuid4().hex}"
            await runtime.connections.store.write(kept, b"in")
            async with sweeping(runtime.connections):
                await until(lambda: runtime.swept() == {old, over}, 30, "the end of both")
            assert [await runtime.objects(run) for run in (old, over)] == [0, 0]
            assert [await runtime.objects(run) for run in (new, not_yet, going)] == [2, 2, 2]
            assert await runtime.connections.store.has(kept)

    asyncio.run(main())


def test_several_sweep_at_once(settings: Settings, tmp_path: Path) -> None:
    """More runs than a sweeper takes at a time are all swept, by whichever comes first."""

    async def main() -> None:
        async with cellar(settings, tmp_path) as runtime:
            runs = await asyncio.gather(*(runtime.run_of("d" * 64, 8 * DAY) for _ in range(70)))
            async with sweeping(runtime.connections, 3):
                await until(lambda: runtime.swept() == set(runs), 30, "the end of all")
            assert sum([await runtime.objects(run) for run in runs]) == 0

    asyncio.run(main())


def test_an_unavailable_store_is_asked_again(
    settings: Settings, tmp_path: Path, unused_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    """While S3 is away no run counts as swept; when it is back, they are."""

    async def main() -> None:
        async with cellar(settings, tmp_path) as runtime:
            run = await runtime.run_of("d" * 64, 8 * DAY)
            nowhere = dataclasses.replace(runtime.settings, s3=f"http://127.0.0.1:{unused_port}")
            async with Connections.of(nowhere, "test") as connections, sweeping(connections, period=0.1):
                warning = "objects of ended runs stay for now"
                await until(lambda: warning in caplog.text, 60, warning)
            assert runtime.swept() == set()
            async with sweeping(runtime.connections):
                await until(lambda: runtime.swept() == {run}, 30, "the end")

    asyncio.run(main())


def test_the_recorder_sweeps(settings: Settings, tmp_path: Path) -> None:
    """Beside a recorder whose installation keeps objects for a second, those of an ended run go, and its history stays."""

    async def main() -> None:
        async with cellar(settings, tmp_path) as runtime:
            await runtime.publish(USUAL, {})
            await runtime.start("flow", "recorder", MILLRACE_RETAIN="1")
            run = str(uuid.uuid4())
            await runtime.connections.store.put(run, b"sent", "text/plain")
            await runtime.submit("usual", {"n": 7}, run)
            assert await runtime.output(run) == {"n": 7}
            await until(lambda: runtime.swept() == {run}, 30, "the end of its objects")
            assert await runtime.objects(run) == 0
            with psycopg.connect(runtime.settings.postgres) as link:
                assert link.execute("select status, output from runs").fetchall() == [("finished", {"n": 7})]

    asyncio.run(main())
