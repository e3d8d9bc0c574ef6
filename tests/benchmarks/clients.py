"""What asks a contender for runs over HTTP, and how it is measured: alone, and with many in flight."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp

from tests.benchmarks.figures import Times
from tests.benchmarks.jobs import IN_FLIGHT, Job, customer, picture
from tests.benchmarks.processes import Groups, between, spent

_TIMEOUT = aiohttp.ClientTimeout(total=120)


class Contender(Protocol):
    """Who is measured."""

    name: str

    @property
    def groups(self) -> Groups:
        """Its processes, those it shares with others as well."""

    async def ask(self, job: Job, number: int) -> Mapping[str, Any]:
        """The output of one run. An image in it has at least its `sha256`."""


@dataclass(frozen=True)
class Measured:
    """What one contender took for one job; times in milliseconds a run."""

    alone: Times
    alone_cpu: Mapping[str, float]
    rate: float
    """Runs a second with many in flight."""
    cpu: Mapping[str, float]
    """Processor time a run then, by process."""


def request(job: Job, number: int) -> dict[str, Any]:
    """What is posted: a form with the photo, or JSON."""
    if not job.pictures:
        return {"json": customer(number)}
    form = aiohttp.FormData()
    form.add_field("image", picture(number), filename="photo.jpg", content_type="image/jpeg")
    return {"data": form}


class Millrace:
    """Runs over HTTP, each followed over SSE to its end."""

    name = "millrace"

    def __init__(self, session: aiohttp.ClientSession, groups: Groups) -> None:
        self._session = session
        self.groups = groups

    async def publish(self, name: str, text: str) -> None:
        """Gives it a pipeline, and waits until it can be asked for."""
        async with self._session.put(f"/pipelines/{name}", data=text, headers={"accept": "application/json"}) as answer:
            assert answer.status in (200, 201), await answer.text()

    async def ask(self, job: Job, number: int) -> Mapping[str, Any]:
        """The output of the run's last event."""
        async with self._session.post(f"/pipelines/{job.pipeline}/runs", **request(job, number)) as answer:
            assert answer.status == 200, await answer.text()
            ended = False
            async for line in answer.content:
                if line.startswith(b"event: run."):
                    ended = line.startswith((b"event: run.finished", b"event: run.failed", b"event: run.cancelled"))
                elif ended and line.startswith(b"data: "):
                    output = json.loads(line[6:]).get("output")
                    assert output is not None, line
                    return {**output, "image": output["image"]["ref"]} if job.pictures else output
        raise AssertionError("the stream ended without a result")


@asynccontextmanager
async def millrace(url: str, key: str, groups: Groups) -> AsyncIterator[Millrace]:
    """A client of a gateway."""
    headers = {"authorization": f"Bearer {key}", "accept": "text/event-stream"}
    async with session(url, headers) as http:
        yield Millrace(http, groups)


@asynccontextmanager
async def session(url: str, headers: Mapping[str, str] = {}) -> AsyncIterator[aiohttp.ClientSession]:
    """A client session with as many connections as there are runs in flight."""
    connector = aiohttp.TCPConnector(limit=2 * IN_FLIGHT)
    async with aiohttp.ClientSession(url, headers=headers, connector=connector, timeout=_TIMEOUT) as http:
        yield http


async def measure(contender: Contender, job: Job, scale: float = 1.0) -> Measured:
    """Warms up, then runs one after another, then many at once; each answer is checked. `scale`: of the numbers of runs."""
    await asyncio.to_thread(lambda: job.answers)  # the pictures and what is right of them: none of the contender's time
    numbers = itertools.count()

    def used() -> dict[str, float]:
        return {**spent(contender.groups), "client": time.process_time()}  # not its children: all the others are

    async def one() -> float:
        number = next(numbers)
        begun = time.perf_counter()
        job.check(number, await contender.ask(job, number))
        return time.perf_counter() - begun

    async def flood(count: int) -> None:
        room = asyncio.Semaphore(IN_FLIGHT)

        async def within() -> None:
            async with room:
                await one()

        async with asyncio.TaskGroup() as all_of_them:
            for _ in range(count):
                all_of_them.create_task(within())

    await one()
    await flood(max(4, int(job.warm * scale)))
    alone = max(4, int(job.alone * scale))
    before = used()
    times = [await one() for _ in range(alone)]
    after = used()
    many = max(IN_FLIGHT, int(job.many * scale))
    begun = time.perf_counter()
    await flood(many)
    took = time.perf_counter() - begun
    ended = used()
    return Measured(
        Times.of(times), _each(between(before, after), alone), many / took, _each(between(after, ended), many)
    )


def _each(seconds: Mapping[str, float], runs: int) -> dict[str, float]:
    """Milliseconds a run, by process, and of all."""
    shares = {name: value / runs * 1000 for name, value in seconds.items()}
    return {**shares, "all": sum(shares.values())}
