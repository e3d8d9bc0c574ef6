"""Calls in batches against calls one by one, in one run: digits, and a body that does nothing, with much in flight.

    python -m tests.benchmarks.bench_batches [COUNT]

First in a pool alone, then over Kafka: a loop over COUNT pictures by one worker, from its first event to its last.
"""

import asyncio
import dataclasses
import sys
import tempfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import uvloop
from PIL import Image

from schemas.refs import Ref
from streams.runtime.pool.batches import Batches
from streams.runtime.pool.pool import Pool
from streams.service.child_calls import call
from streams.settings import Settings
from tests.benchmarks.figures import show
from tests.integration.support import pool_functions
from tests.integration.support.runtime_harness import RuntimeHarness, isolated

MODULE = "tests.benchmarks.readers"
REFERENCE = Path(__file__).parents[1] / "unit" / "agents" / "services" / "digit_reference.npz"
IN_FLIGHT = 64
MOST = 16
ROUNDS = 3
LOOP = """
pipeline: loop-{name}
input: {{pictures: [image]}}
nodes:
  read:
    each: {{picture: "${{pictures}}"}}
    concurrency: 128
    nodes:
      one: {{service: {name}, with: {{image: "${{picture}}"}}}}
    output: "${{one.digit}}"
output: {{digits: "${{read}}"}}
"""


def pictures() -> list[bytes]:
    """Drawn digits as PNGs."""
    made = []
    for pixels in np.load(REFERENCE)["pictures"]:
        out = BytesIO()
        Image.fromarray(255 - pixels).save(out, "PNG")
        made.append(out.getvalue())
    return made


async def rate(bodies_: Pool | Batches, calls: Sequence[tuple[Any, ...]]) -> float:
    """Calls a second."""
    room = asyncio.Semaphore(IN_FLIGHT)

    async def one(given: tuple[Any, ...]) -> None:
        async with room:
            ended = await bodies_.run(*given, seconds=60, memory=2048)
            assert ended.failure is None, ended.failure

    begun = asyncio.get_running_loop().time()
    await asyncio.gather(*map(one, calls))
    return len(calls) / (asyncio.get_running_loop().time() - begun)


async def in_a_pool(count: int) -> None:
    """Without Kafka: the pool, and batches over it, in turn."""
    found = pictures()
    drawn = [Ref("", "", len(data), f"{at:064x}", "image/png") for at, data in enumerate(found)]
    digits = [
        (call, MODULE, "singly", {"image": ref.to_dict()}, {ref.sha256: data}, "", "")
        for ref, data in zip(drawn, found, strict=True)
    ]
    work: dict[str, list[tuple[Any, ...]]] = {
        "digits": [digits[n % len(digits)] for n in range(count)],
        "nothing": [(pool_functions.double, n) for n in range(count)],
    }
    pool = Pool(0, [MODULE, "agents.digits.ink", "agents.digits.reader", "tests.integration.support.pool_functions"])
    await pool.start()
    try:
        for name, calls in work.items():
            await rate(pool, calls[:100])
            for _ in range(ROUNDS):
                singly, batched = await rate(pool, calls), await rate(made := Batches(pool, MOST), calls)
                taken = made.carried.calls / made.carried.batches
                show(
                    "batches in a pool", work=name, singly=singly, batched=batched, gain=batched / singly, a_turn=taken
                )
    finally:
        await pool.stop()


async def over_kafka(count: int) -> None:
    """A loop over many pictures, by one worker."""
    with tempfile.TemporaryDirectory() as folder:
        settings = dataclasses.replace(isolated(Settings.read()), workers=0)
        async with RuntimeHarness(settings, Path(folder)) as harness:
            await asyncio.gather(harness.start("flow"), harness.start(MODULE))
            for name in ("singly", "batched"):
                await harness.publish(LOOP.format(name=name))
            refs = [await harness.connections.store.put("benchmark", data, "image/png") for data in pictures()]
            for turn in range(ROUNDS + 1):
                for name in ("singly", "batched"):
                    given = [refs[n % len(refs)].to_dict() for n in range(count if turn else 50)]
                    run = await harness.submit(f"loop-{name}", {"pictures": given})
                    last = await harness.ended(run, 600)
                    seconds = last.at - harness.events[run][0].at
                    if turn:
                        show("batches over kafka", service=name, pictures=len(given), a_second=len(given) / seconds)


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    asyncio.run(in_a_pool(wanted))
    uvloop.run(over_kafka(wanted // 2))
