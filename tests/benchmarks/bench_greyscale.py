"""Throughput of `image-greyscale` on 1-megapixel JPEGs with 64 in flight, against a bare process pool on the same cores.

    python -m tests.benchmarks.bench_greyscale [COUNT]

The bare pool decodes, converts and encodes with the service's own function, and gets and puts its objects in S3 as the worker
does; it knows no Kafka. Ours are asked for and awaited by a Kafka client, on the pipeline's requests and results. Aim: at least
85 % of its throughput.
"""

import asyncio
import dataclasses
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import uvloop

from schemas.refs import Ref
from streams.runtime.storage.store import Store
from streams.service.child_calls import call
from streams.service.invocation import Invocation
from streams.settings import Settings
from tests.benchmarks.figures import show
from tests.benchmarks.photos import photo
from tests.benchmarks.results import following
from tests.integration.support.runtime_harness import RuntimeHarness, isolated

SERVICE = "image-greyscale"
MODULE = "agents.services.image_greyscale"
IN_FLIGHT = 64
ROUNDS = 2


async def throughput(work: Callable[[int], Awaitable[None]], count: int) -> float:
    """Pieces of work a second, with so many in flight."""
    room = asyncio.Semaphore(IN_FLIGHT)

    async def one(number: int) -> None:
        async with room:
            await work(number)

    begun = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(count)))
    return count / (time.perf_counter() - begun)


async def bare(store: Store, photos: list[Ref], count: int) -> float:
    """A process pool that gets and puts its objects."""
    loop = asyncio.get_running_loop()
    cores = os.cpu_count() or 1
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:

        async def work(number: int) -> None:
            ref = photos[number % len(photos)]
            data = await store.get(ref)
            made: Invocation = await loop.run_in_executor(
                pool, call, MODULE, SERVICE, {"image": ref.to_dict()}, {ref.sha256: data}
            )
            for one in made.objects:
                await store.put(str(uuid.uuid4()), one.data, one.media_type)

        await throughput(work, 4 * cores)
        return await throughput(work, count)


async def ours(harness: RuntimeHarness, photos: list[Ref], count: int) -> float:
    """Runs of the service's own pipeline."""
    async with following(harness.settings.brokers, harness.connections.names.results(SERVICE)) as results:

        async def work(number: int) -> None:
            given: dict[str, Any] = {"image": photos[number % len(photos)].to_dict()}
            run = str(uuid.uuid4())
            result = results.expected(run)
            await harness.submit(SERVICE, given, run)
            async with asyncio.timeout(120):
                await result

        await throughput(work, 8)
        return await throughput(work, count)


async def main(count: int) -> None:
    """Measures both in turn."""
    with tempfile.TemporaryDirectory() as folder:
        settings = dataclasses.replace(isolated(Settings.read()), workers=os.cpu_count() or 1)
        async with RuntimeHarness(settings, Path(folder), follow=False) as harness:
            store = harness.connections.store
            photos = [await store.put("benchmark", photo(seed), "image/jpeg") for seed in range(8)]
            await harness.start(SERVICE, "flow")
            floor: list[float] = []
            own: list[float] = []
            for _ in range(ROUNDS):
                own.append(await ours(harness, photos, count // ROUNDS))
                floor.append(await bare(store, photos, count // ROUNDS))
            show(
                "greyscale",
                bare_per_second=sum(floor) / ROUNDS,
                ours_per_second=sum(own) / ROUNDS,
                ratio=sum(own) / sum(floor),
                jpeg_bytes=photos[0].size,
            )


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 400))
