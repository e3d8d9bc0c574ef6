"""One run: a 1-megapixel JPEG over HTTP to the result over SSE, against the sum of what no way of doing it can leave out.

    python -m tests.benchmarks.bench_run [COUNT]

Unavoidable, and measured in turn with the runs: putting the upload into S3, getting it, decoding, converting and encoding
it in a process that is warm, putting the result, and four hops over Kafka (request, task, token, end), each as a bare aiokafka
producer and consumer take it. Aim: p50 at most 1.6 times.
"""

import asyncio
import dataclasses
import itertools
import os
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from gateway.api.auth import read_key
from infra.local.home.ports import Ports
from streams.runtime.storage.store import Store
from streams.service.child_calls import call
from streams.service.invocation import Invocation
from streams.settings import Settings
from streams.wire.topic_specs import TopicSpec
from tests.benchmarks.bench_greyscale import MODULE, SERVICE
from tests.benchmarks.figures import Times, show
from tests.benchmarks.photos import photo
from tests.integration.support.runtime_harness import ROOT, RuntimeHarness, isolated
from tests.integration.support.waiting import until

HOPS = 4
WARM_UP = 20
ROUNDS = 4


@asynccontextmanager
async def gateway(harness: RuntimeHarness) -> AsyncIterator[aiohttp.ClientSession]:
    """A gateway process, and a session with it."""
    with Ports(harness.folder / "ports.json", {}) as ports:
        port = ports["gateway"]
    settings = dataclasses.replace(harness.settings, http_port=port)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "gateway"),
        cwd=ROOT,
        env={**os.environ, **settings.environ()},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.STDOUT,
    )
    key = read_key(settings.home)
    headers = {"authorization": f"Bearer {key}", "accept": "text/event-stream"}
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as http:

            async def serves() -> bool:
                try:
                    async with http.get("/health/ready") as answer:
                        return answer.status == 200
                except aiohttp.ClientError:
                    return False

            await until(serves, 60, "the gateway")
            yield http
    finally:
        process.kill()
        await process.wait()


async def run(http: aiohttp.ClientSession, data: bytes) -> float:
    """Seconds from the submission to the result of one run."""
    form = aiohttp.FormData()
    form.add_field("image", data, filename="photo.jpg", content_type="image/jpeg")
    begun = time.perf_counter()
    async with http.post(f"/pipelines/{SERVICE}/runs", data=form) as answer:
        assert answer.status == 200, await answer.text()
        async for line in answer.content:
            if line.startswith(b"event: run.finished"):
                return time.perf_counter() - begun
            assert not line.startswith(b"event: run.failed"), line
    raise AssertionError("the stream ended without a result")


class Parts:
    """What cannot be left out, done one after another."""

    def __init__(self, store: Store, producer: AIOKafkaProducer, consumer: AIOKafkaConsumer, topic: str) -> None:
        self._store, self._producer, self._consumer, self._topic = store, producer, consumer, topic

    async def once(self, data: bytes) -> dict[str, float]:
        """Seconds of each part."""
        marks = [time.perf_counter()]
        ref = await self._store.put(str(uuid.uuid4()), data, "image/jpeg")
        marks.append(time.perf_counter())
        found = await self._store.get(ref)
        marks.append(time.perf_counter())
        made: Invocation = call(MODULE, SERVICE, {"image": ref.to_dict()}, {ref.sha256: found})
        marks.append(time.perf_counter())
        (one,) = made.objects
        await self._store.put(str(uuid.uuid4()), one.data, one.media_type)
        marks.append(time.perf_counter())
        for _ in range(HOPS):
            await self._producer.send(self._topic, b"x" * 500)
            await self._consumer.getone()
        marks.append(time.perf_counter())
        names = ("put", "get", "body", "put_result", "hops")
        return dict(zip(names, (b - a for a, b in itertools.pairwise(marks)), strict=True))


@asynccontextmanager
async def parts(harness: RuntimeHarness) -> AsyncIterator[Parts]:
    """The parts, with a topic of their own."""
    topic = harness.connections.topic("bare.hop")
    await harness.connections.admin.ensure([TopicSpec(topic, 1)])
    producer = AIOKafkaProducer(**harness.settings.brokers.aiokafka(), acks="all", enable_idempotence=True)
    consumer = AIOKafkaConsumer(topic, **harness.settings.brokers.aiokafka(), auto_offset_reset="earliest")
    await producer.start()
    await consumer.start()
    try:
        yield Parts(harness.connections.store, producer, consumer, topic)
    finally:
        await consumer.stop()
        await producer.stop()


async def main(count: int) -> None:
    """Measures runs and parts in turn, some times, so that a busy moment does not hit one of them only."""
    with tempfile.TemporaryDirectory() as folder:
        async with RuntimeHarness(isolated(Settings.read()), Path(folder), follow=False) as harness:
            await harness.start(SERVICE, "flow")
            async with gateway(harness) as http, parts(harness) as bare:
                photos = [photo(seed) for seed in range(4)]
                whole: list[float] = []
                floor: list[dict[str, float]] = []
                for number in range(WARM_UP):
                    await run(http, photos[number % 4])
                    await bare.once(photos[number % 4])
                for _ in range(ROUNDS):
                    floor += [await bare.once(photos[number % 4]) for number in range(count // ROUNDS)]
                    whole += [await run(http, photos[number % 4]) for number in range(count // ROUNDS)]
                for name in floor[0]:
                    show("run part", part=name, times=Times.of([one[name] for one in floor]))
                low, high = Times.of([sum(one.values()) for one in floor]), Times.of(whole)
                show("run", unavoidable=low, ours=high, p50_ratio=high.p50 / low.p50, p95_ratio=high.p95 / low.p95)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
