"""S3, the registry or PostgreSQL stay unavailable until it is noticed: no attempt is lost, and all runs finish afterwards."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streams.settings import Settings
from tests.chaos.installation import Installation, installation, run
from tests.integration.support.runtime_harness import WorkerProcess
from tests.integration.support.tcp_proxy import TcpProxy
from tests.integration.support.waiting import until

log = logging.getLogger(__name__)

TALE = """
pipeline: tale
summary: Values that are too large for a record travel through S3, before, between and after services
input: {text: string, seconds: float}
nodes:
  pause: {service: rest, with: {seconds: "${seconds}"}}
  once: {service: echo, with: {text: "${pause.seconds < 100.0 ? text : ''}"}}
  again: {service: echo, with: {text: "${once.text}"}}
output: {text: "${again.text}"}
"""
FRESH = TALE.replace("pipeline: tale", "pipeline: fresh-tale").replace(
    "{text: string,", "{text: string, more: {type: int, default: 0},"
)
LONG = "word " * 80_000


@contextlib.asynccontextmanager
async def gated(settings: Settings, folder: Path) -> AsyncIterator[tuple[Installation, dict[str, TcpProxy]]]:
    """An installation whose processes reach S3, the registry and PostgreSQL through proxies."""
    proxies = {
        "s3": TcpProxy(settings.s3),
        "registry": TcpProxy(settings.registry),
        "postgres": TcpProxy(settings.postgres),
    }
    for proxy in proxies.values():
        await proxy.open()
    try:
        async with installation(settings, folder, {name: proxy.url for name, proxy in proxies.items()}) as made:
            yield made, proxies
    finally:
        for proxy in proxies.values():
            await proxy.close()


def waits(worker: WorkerProcess, part: str) -> bool:
    """Whether a worker says that it waits for this part."""
    assert worker.process.poll() is None, worker.log.read_text()[-3000:]
    health = list(worker.home.glob(f"workers/*-{worker.process.pid}-*.json"))
    return bool(health) and part in json.loads(health[0].read_text())["waiting_for"]


@pytest.mark.slow
def test_an_unavailable_part_is_waited_for(settings: Settings, tmp_path: Path) -> None:
    """Each part is cut off until a worker says that it waits for it, with runs in the middle: every run finishes at its first
    attempt, and the history is whole.
    """

    async def main() -> None:
        async with gated(settings, tmp_path) as (made, proxies):
            flow, service = await asyncio.gather(made.flow(), made.service())
            await made.define(TALE)
            wanted = {}

            async def submit(pipeline: str, count: int) -> None:
                for number in range(count):
                    text = f"{number} {LONG}"
                    wanted[await made.submit(pipeline, {"text": text, "seconds": 1.0})] = text

            # S3, while a service rests and what it is to do then lies in S3
            await submit("tale", 3)
            await until(lambda: all(_started(made, one) for one in wanted), 30, "work")
            await proxies["s3"].close()
            await until(lambda: waits(service, "s3"), 60, "a service that waits for S3")
            assert made.open
            await proxies["s3"].open()
            await _all_finished(made, wanted)

            # PostgreSQL: runs go on, the history follows
            await proxies["postgres"].close()
            await submit("tale", 2)
            await _all_finished(made, wanted)
            await until(lambda: waits(flow, "postgres"), 60, "a recorder that waits for PostgreSQL")
            await proxies["postgres"].open()
            await made.recorded()

            # the registry: what is in use goes on; what flow has never read or written waits
            await proxies["registry"].close()
            await submit("tale", 2)
            await _all_finished(made, wanted)
            await made.harness.publish(FRESH)
            fresh = {}
            for number in range(2):
                text = f"{number} {LONG}"
                fresh[await made.harness.submit("fresh-tale", {"text": text, "seconds": 1.0, "more": 0})] = text
            await until(lambda: waits(flow, "registry"), 60, "a flow that waits for the registry")
            assert [(await made.get(f"/runs/{one}"))[0] for one in fresh] == [404, 404]
            await proxies["registry"].open()
            for one in fresh:
                await until(lambda one=one: _known(made, one), 60, "its beginning")  # type: ignore[misc]
                made.follow(one)
            wanted.update(fresh)
            await _all_finished(made, wanted)
            await made.recorded()

    run(main())


def _started(made: Installation, one: str) -> bool:
    return "node.started" in {received.name for received in made.received[one]}


async def _known(made: Installation, one: str) -> bool:
    status, _ = await made.get(f"/runs/{one}")
    return status == 200


async def _all_finished(made: Installation, wanted: dict[str, str]) -> None:
    """Every run ended with its own text, and no attempt was a second one."""
    await made.all_ended(90)
    for one, text in wanted.items():
        received = made.received[one]
        assert received[-1].name == "run.finished", received[-1].data
        assert received[-1].data["output"] == {"text": text}
        assert {event.data.get("attempt", 1) for event in received} == {1}
        assert "node.retrying" not in {event.name for event in received}
