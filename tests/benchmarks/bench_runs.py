"""Runs that compute nothing, where messaging is all the cost: values only, and one trivial service.

    python -m tests.benchmarks.bench_runs [COUNT]

Two worker processes: flow and the recorder in one, the service in the other. All requests are sent at once; the time is from
the first to the last result on `pipeline.<name>.results`, which a bare consumer counts. Every run is recorded, has its events
and its typed result. Aim: 500 runs a second on two cores. Also said: CPU seconds of each process for a thousand runs.
"""

import asyncio
import dataclasses
import sys
import tempfile
import time
import uuid
from pathlib import Path

import psutil
import uvloop

from streams.settings import Settings
from tests.benchmarks.figures import show
from tests.benchmarks.results import following
from tests.integration.support.runtime_harness import RuntimeHarness, WorkerProcess, isolated

PIPELINES = {
    "values": """
pipeline: values
input: {n: int}
nodes:
  twice: {value: "${n * 2}"}
output: {n: "${twice}"}
""",
    "trivial": """
pipeline: trivial
input: {n: int}
nodes:
  a: {service: step-one, with: {n: "${n}"}}
output: {n: "${a.n}"}
""",
}


def seconds(worker: WorkerProcess) -> float:
    """CPU seconds that a worker and its children have used."""
    process = psutil.Process(worker.process.pid)
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(one.user + one.system for one in times)


async def measure(harness: RuntimeHarness, name: str, count: int) -> float:
    """Seconds from the first request to the last result."""
    async with following(harness.settings.brokers, harness.connections.names.results(name)) as results:
        runs = [str(uuid.uuid4()) for _ in range(count)]
        records = [await harness.request(name, {"n": number}, run) for number, run in enumerate(runs)]
        missing = [results.expected(run) for run in runs]
        begun = time.perf_counter()
        sending = asyncio.create_task(harness.connections.producer.send_all(records))
        async with asyncio.timeout(60 + count / 10):
            await asyncio.gather(*missing)
        took = time.perf_counter() - begun
        await sending
    return took


async def main(count: int) -> None:
    """Measures each pipeline after a warm-up."""
    with tempfile.TemporaryDirectory() as folder:
        settings = dataclasses.replace(isolated(Settings.read()), workers=2)
        async with RuntimeHarness(settings, Path(folder), follow=False) as harness:
            flow = await harness.start("flow", "recorder")
            service = await harness.start("tests.benchmarks.steps")
            for name, text in PIPELINES.items():
                await harness.publish(text)
                await measure(harness, name, 200)
                before = seconds(flow), seconds(service)
                took = await measure(harness, name, count)
                await asyncio.sleep(1)  # the recorder is behind by design; its cost belongs to the runs
                after = seconds(flow), seconds(service)
                show(
                    "runs",
                    pipeline=name,
                    runs_per_second=count / took,
                    count=count,
                    flow_and_recorder_cpu_s_per_1000=(after[0] - before[0]) / count * 1000,
                    service_cpu_s_per_1000=(after[1] - before[1]) / count * 1000,
                )


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3000))
