"""Run a whole installation whose processes a test may kill: workers, a gateway, and clients that follow every run."""

import asyncio
import contextlib
import dataclasses
import functools
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import psycopg
import uvloop

from gateway.api.auth import read_key
from infra.local.home.ports import Ports
from schemas.results import result_schema
from streams.settings import Settings
from tests.acceptance.sse import ENDS, StreamEvent, check_order, events
from tests.integration.support.gateway_world import database, drop
from tests.integration.support.runtime_harness import ROOT, RuntimeHarness, WorkerProcess, isolated
from tests.integration.support.waiting import until

CHEAP_SERVICES = "tests.chaos.cheap_services"
FLOW = ("flow", "recorder", "retry")
_ENDED = ("finished", "failed", "cancelled")
_PATIENCE = 60.0
"""Seconds for which a client asks again while a part of the system is away."""
_AT_ONCE = 32
"""Submissions under way at a time."""


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Runs a test on a loop that leaves most of the machine to what is tested."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario)


@dataclass
class History:
    """A run as PostgreSQL has it: its status, the ids of its events, and the status of its node executions by path."""

    status: str
    ids: list[int] = field(default_factory=list)
    nodes: dict[str, str] = field(default_factory=dict)


@dataclass
class Installation:
    """An installation and its clients. Every run that is submitted is followed to its end by a client of its own."""

    harness: RuntimeHarness
    port: int
    http: aiohttp.ClientSession
    received: dict[str, list[StreamEvent]] = field(default_factory=dict)
    followers: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    @property
    def open(self) -> list[str]:
        """Runs whose last event has not been seen."""
        return [run for run, task in self.followers.items() if not task.done()]

    @property
    def seen(self) -> int:
        """How many events have been seen."""
        return sum(map(len, self.received.values()))

    async def define(self, text: str) -> None:
        """Publishes a pipeline over HTTP, once its services are announced."""
        name = text.split("pipeline:", 1)[1].split()[0]

        async def put() -> bool:
            headers = {"content-type": "application/yaml"}
            async with self.http.put(f"/pipelines/{name}", data=text, headers=headers) as answer:
                said = await answer.text()
            assert answer.status in (200, 201) or "unknown service" in said, said
            return answer.status in (200, 201)

        await until(put, 30, f"the services of {name}")
        await until(lambda: self.harness.pipelines.version(name), 30, name)

    async def get(self, path: str) -> tuple[int, Any]:
        """Status and document of an answer."""
        async with self.http.get(path) as answer:
            return answer.status, await answer.json(content_type=None)

    async def submit(self, pipeline: str, given: dict[str, Any]) -> str:
        """Asks for a run over HTTP and begins to follow it.

        Told that nothing was begun, it asks again when it is told to; told that the run may begin all the same, it waits
        until it has begun, as that answer says.
        """
        async with asyncio.timeout(_PATIENCE):
            while True:
                async with self.http.post(f"/pipelines/{pipeline}/runs", json=given) as answer:
                    said = await answer.json()
                    if answer.status == 202:
                        return self.follow(said["id"])
                    assert answer.status == 503, said
                    again = float(answer.headers.get("retry-after", 1))
                if "id" in said:
                    run = said["id"]
                    await until(functools.partial(self._began, run), _PATIENCE, f"run {run}, which was to begin")
                    return self.follow(run)
                await asyncio.sleep(again)

    async def _began(self, run: str) -> bool:
        status, said = await self.get(f"/runs/{run}")
        assert status in (200, 404, 503), said
        return status == 200

    def follow(self, run: str) -> str:
        """Begins to follow a run."""
        self.received[run] = []
        self.followers[run] = asyncio.create_task(self._follow(run))
        return run

    async def submit_all(self, pipeline: str, given: Iterable[dict[str, Any]]) -> list[str]:
        """Asks for many runs."""
        room = asyncio.Semaphore(_AT_ONCE)

        async def one(values: dict[str, Any]) -> str:
            async with room:
                return await self.submit(pipeline, values)

        return list(await asyncio.gather(*(one(values) for values in given)))

    async def end(self, run: str, seconds: float = 60) -> StreamEvent:
        """The last event of a run, waiting for it."""
        done, _ = await asyncio.wait([self.followers[run]], timeout=seconds)
        assert done, f"{run} did not end within {seconds} s: {[(one.name, one.place) for one in self.received[run]]}"
        await self.followers[run]
        return self.received[run][-1]

    async def output(self, run: str, seconds: float = 60) -> Any:
        """What a run gives, waiting for it."""
        last = await self.end(run, seconds)
        assert last.name == "run.finished", last.data
        return last.data["output"]

    async def all_ended(self, seconds: float) -> None:
        """Waits until every run has ended, and looks at the order of what was told of each."""
        await until(lambda: not self.open, seconds, "the end of every run")
        for run, task in self.followers.items():
            await task
            check_order(self.received[run])

    async def verify(self, wanted: Mapping[str, dict[str, Any]]) -> None:
        """Each of these runs of one pipeline ended once with its output, as clients, .results and the history say."""
        for one, output in wanted.items():
            last = self.received[one][-1]
            assert last.name == "run.finished", last.data
            assert last.data["output"] == output
        (pipeline,) = {self.received[one][-1].data["pipeline"] for one in wanted}
        schema = result_schema(pipeline, self.harness.topology(pipeline).output)
        answers: dict[str, Any] = {}
        for record in await self.harness.results(pipeline):
            value = await self.harness.connections.codec.decode(record.value or b"", schema)
            assert answers.setdefault(value["run"], value["output"]) == value["output"]
        assert {one: answers.get(one) for one in wanted} == wanted
        await self.recorded()

    async def _follow(self, run: str) -> None:
        """Reads a run's events as a browser does: it comes back with the last id when the connection ends too early."""
        received = self.received[run]
        while True:
            headers = {"last-event-id": str(received[-1].id)} if received else {}
            with contextlib.suppress(aiohttp.ClientError):
                async with self.http.get(f"/runs/{run}/events", headers=headers) as stream:
                    assert stream.status in (200, 503), await stream.text()
                    lines: list[str] = []
                    async for line in stream.content:
                        lines.append(line.decode().rstrip("\n"))
                        if not lines[-1]:
                            received.extend(events(lines))
                            lines = []
            if received and received[-1].name in ENDS:
                return
            await asyncio.sleep(0.2)  # before it comes back

    def gateway(self) -> subprocess.Popen[bytes]:
        """Starts the gateway."""
        settings = dataclasses.replace(self.harness.instead or self.harness.settings, http_port=self.port)
        with (self.harness.folder / "gateway.log").open("ab") as out:
            return subprocess.Popen(
                [sys.executable, "-m", "gateway"],
                cwd=ROOT,
                env={**os.environ, **settings.environ()},
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    async def flow(self) -> WorkerProcess:
        """A worker of flow, recorder and retries."""
        return await self.harness.start(*FLOW)

    async def start_single_worker_service(self) -> WorkerProcess:
        """A worker of the service `lonely` alone, which announces itself every second."""
        return await self.harness.start("tests.chaos.single_worker_service", MILLRACE_ANNOUNCE="1")

    async def service(self, *more: str) -> WorkerProcess:
        """A worker of the cheap services."""
        return await self.harness.start(CHEAP_SERVICES, *more)

    def history(self) -> dict[str, History]:
        """What PostgreSQL knows of every run, at one moment."""
        with psycopg.connect(self.harness.settings.postgres) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            found = {run: History(status) for run, status in connection.execute("select run, status from runs")}
            for run, sequence in connection.execute("select run, sequence from events order by 1, 2"):
                found[run].ids.append(sequence)
            for run, path, status in connection.execute("select run, path, status from node_executions"):
                found[run].nodes[path] = status
        return found

    async def recorded(self, seconds: float = 60) -> None:
        """Waits until the history has ended with every run, and compares it with what clients were told, event by event."""

        def reached() -> bool:
            with psycopg.connect(self.harness.settings.postgres) as connection:
                (row,) = connection.execute("select count(*) from runs where ended_at is not null").fetchall()
            return bool(row[0] == len(self.received))

        await until(reached, seconds, "the history")
        found = self.history()
        for run, received in self.received.items():
            nodes = {one.place: one.name.removeprefix("node.") for one in received if one.name.startswith("node.")}
            assert found[run].nodes == nodes
            assert (found[run].status, found[run].ids) == (
                received[-1].name.removeprefix("run."),
                [one.id for one in received],
            )


def memory_bytes(worker: WorkerProcess) -> int:
    """Bytes of memory of a worker and its children."""
    total = 0
    process = psutil.Process(worker.process.pid)
    for one in [process, *process.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            total += one.memory_info().rss
    return total


@contextlib.asynccontextmanager
async def installation(
    settings: Settings, folder: Path, ways: Mapping[str, str] | None = None
) -> AsyncIterator[Installation]:
    """An installation with a gateway and no worker yet, on topics, groups and a database schema of its own.

    `ways`: addresses by which its processes, but not the test, reach S3, the registry or PostgreSQL.
    """
    address, schema = database(settings.postgres)
    own = dataclasses.replace(isolated(settings), postgres=address)
    through = dict(ways or {})
    if "postgres" in through:
        through["postgres"] += address.removeprefix(settings.postgres)
    instead = dataclasses.replace(own, **through)  # type: ignore[arg-type]  # each is an address
    try:
        async with RuntimeHarness(own, folder, follow=False, instead=instead) as harness:
            with Ports(folder / "ports.json", {}) as ports:
                port = ports["gateway"]
            key = read_key(own.home)
            async with aiohttp.ClientSession(
                f"http://127.0.0.1:{port}",
                headers={"authorization": f"Bearer {key}"},
                timeout=aiohttp.ClientTimeout(total=None, sock_read=60),
                # No limit: every run has a stream of its own. No second use: a connection may be closed just then.
                connector=aiohttp.TCPConnector(limit=0, force_close=True),
            ) as http:
                made = Installation(harness, port, http)
                gateway = made.gateway()
                try:
                    await until(lambda: _serves(http, gateway), 60, "the gateway")
                    yield made
                finally:
                    for task in made.followers.values():
                        task.cancel()
                    await asyncio.gather(*made.followers.values(), return_exceptions=True)
                    gateway.kill()
                    gateway.wait()
    finally:
        drop(settings.postgres, schema)


async def _serves(http: aiohttp.ClientSession, gateway: subprocess.Popen[bytes]) -> bool:
    assert gateway.poll() is None
    try:
        async with http.get("/health/ready") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
