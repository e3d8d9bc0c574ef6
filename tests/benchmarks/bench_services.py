"""Memory of an agent with a model, and what a call costs: the model called directly, in a child process, and as a run over Kafka.

    python -m tests.benchmarks.bench_services [SERVICE…]

Each service gets its own example, COUNT times, one at a time, by a worker of one pool child that hosts nothing else. Memory is
that of the worker's whole process tree once it has worked: shared pages count once, and in parts where other
workers share them (PSS); as resident memory they count in each process. Aim: an agent with a model stays under 250 MiB.
"""

import asyncio
import base64
import hashlib
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg
import uvloop

from agents.discovery import load, registry
from schemas.refs import Ref
from streams.runtime.pool.async_child import AsyncChild
from streams.runtime.pool.pool import Pool
from streams.service.child_calls import call, wait
from streams.service.invocation import Service
from streams.settings import Settings
from tests.benchmarks.figures import Times, show
from tests.benchmarks.results import following
from tests.integration.support.runtime_harness import RuntimeHarness, isolated

MODELS = ("digit-recognition", "cell-preprocess", "cell-classify", "loan-appetence", "face-detect", "face-analyze")
COUNT = 50
WARM_UP = 5
_MIB = 1024 * 1024


def example(service: Service[Any, Any]) -> tuple[dict[str, Any], dict[str, tuple[bytes, str]]]:
    """The service's example as a record, and its objects by their hash with their media types."""
    objects: dict[str, tuple[bytes, str]] = {}

    def made(value: Any) -> Any:
        if isinstance(value, str) and value.startswith("data:"):
            kind, _, text = value.removeprefix("data:").partition(";base64,")
            data = base64.b64decode(text)
            sha256 = hashlib.sha256(data).hexdigest()
            objects[sha256] = data, kind
            return Ref("", "", len(data), sha256, kind).to_dict()
        if isinstance(value, dict):
            return {key: made(one) for key, one in value.items()}
        return [made(one) for one in value] if isinstance(value, list | tuple) else value

    return made(dict(service.example or {})), objects


async def times(work: Callable[[], Awaitable[None]]) -> Times:
    """How long it takes, one after another."""
    seconds = []
    for turn in range(WARM_UP + COUNT):
        begun = time.perf_counter()
        await work()
        if turn >= WARM_UP:
            seconds.append(time.perf_counter() - begun)
    return Times.of(seconds)


def directly(name: str) -> Times:
    """The service called as a function, in a process of its own with as many threads as a child has."""
    service = load(name)
    record, objects = example(service)
    data = {sha256: given for sha256, (given, _) in objects.items()}

    async def work() -> None:
        if service.waits:
            await service.wait(record, data)
        else:
            service.invoke(record, data)

    return asyncio.run(times(work))


async def in_a_process(name: str) -> tuple[Times, Times]:
    """The service called directly, and as a worker has it called in a child."""
    module = registry()[name]
    service = load(name)
    record, objects = example(service)
    data = {sha256: given for sha256, (given, _) in objects.items()}
    function = wait if service.waits else call
    pool = Pool(1, [module, *service.preload])
    bodies = AsyncChild([module], service.memory) if service.waits else pool
    await asyncio.gather(pool.start(), *([bodies.start()] if service.waits else []))

    async def child() -> None:
        ended = await bodies.run(function, module, name, record, data, seconds=60, memory=service.memory)
        assert ended.failure is None, ended.failure

    try:
        direct = await pool.run(directly, name, seconds=600, memory=4096)
        assert direct.failure is None, direct.failure
        return direct.value, await times(child)
    finally:
        await asyncio.gather(pool.stop(), *([bodies.stop()] if service.waits else []))


async def as_a_run(name: str) -> tuple[Times, dict[str, float]]:
    """The service as other systems use it, and the memory of its agent."""
    record, objects = example(load(name))
    with tempfile.TemporaryDirectory() as folder:
        async with RuntimeHarness(isolated(Settings.read()), Path(folder), follow=False) as harness:
            _, worker = await asyncio.gather(harness.start("flow"), harness.start(name))
            for data, kind in objects.values():
                await harness.connections.store.put("benchmark", data, kind)
            given = _stored(record, harness)
            topic = harness.connections.names.results(name)
            async with following(harness.settings.brokers, topic) as results:

                async def run() -> None:
                    identity = str(uuid.uuid4())
                    result = results.expected(identity)
                    await harness.submit(name, given, identity)
                    await asyncio.wait_for(result, 60)

                taken = await times(run)
            process = psutil.Process(worker.process.pid)
            tree = {one.pid: one.memory_full_info() for one in (process, *process.children(recursive=True))}
            memory = {
                "agent_mib": sum(one.pss for one in tree.values()) / _MIB,
                "resident_mib": sum(one.rss for one in tree.values()) / _MIB,
                "processes": len(tree),
            }
            return taken, memory


def _stored(value: Any, harness: RuntimeHarness) -> Any:
    """The record with its refs where the objects are."""
    if isinstance(value, dict) and "sha256" in value:
        return {
            **value,
            "bucket": harness.connections.store.bucket,
            "key": harness.connections.store.key("benchmark", value["sha256"]),
        }
    if isinstance(value, dict):
        return {key: _stored(one, harness) for key, one in value.items()}
    return [_stored(one, harness) for one in value] if isinstance(value, list) else value


@contextmanager
def indicators() -> Iterator[None]:
    """Loan appetence reads the newest month's indicators at every scoring: a schema that has them, for this process and its workers."""
    settings, schema = Settings.read(), f"t{uuid.uuid4().hex[:10]}"
    url = f"{settings.postgres}?options={quote(f'-csearch_path={schema}')}"
    with psycopg.connect(settings.postgres, autocommit=True) as connection:
        connection.execute(f"create schema {schema}".encode())
        os.environ["MILLRACE_POSTGRES"] = url
        try:
            subprocess.run([sys.executable, "-m", "streams.cli", "indicators", "load"], check=True, stdout=sys.stderr)
            yield
        finally:
            os.environ["MILLRACE_POSTGRES"] = settings.postgres
            connection.execute(f"drop schema {schema} cascade".encode())


async def main(names: list[str]) -> None:
    """Each service in turn."""
    wanted = names or MODELS
    with indicators() if "loan-appetence" in wanted else nullcontext():
        for name in wanted:
            direct, child = await in_a_process(name)
            run, memory = await as_a_run(name)
            show("service", service=name, direct=direct, child=child, run=run, **memory)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1:]))
