"""Resident memory of each process of workers at rest and after work, and the time until a worker serves.

    python -m tests.benchmarks.bench_memory

A pool child shares most of its memory with the fork server: `unique` is what it holds alone.
"""

import tempfile
import time
from pathlib import Path

import psutil
import uvloop

from streams.settings import Settings
from tests.benchmarks.figures import show
from tests.benchmarks.photos import photo
from tests.integration.support.runtime_harness import RuntimeHarness, WorkerProcess, isolated

WORKERS = {"flow": ("flow",), "recorder": ("recorder",), "one image agent": ("image-greyscale",), "everything": ()}
_MIB = 1024 * 1024


def role(process: psutil.Process, worker: WorkerProcess) -> str:
    """What a process of a worker is."""
    if process.pid == worker.process.pid:
        return "worker"
    command = " ".join(process.cmdline())
    if "resource_tracker" in command:
        return "resource tracker"
    return "pool child" if process.ppid() != worker.process.pid else "fork server"


async def main() -> None:
    """Starts each kind of worker in turn."""
    for name, names in WORKERS.items():
        with tempfile.TemporaryDirectory() as folder:
            async with RuntimeHarness(isolated(Settings.read()), Path(folder)) as harness:
                begun = time.perf_counter()
                worker = await harness.start(*names)
                show("start", worker=name, seconds=time.perf_counter() - begun)
                if not names:
                    ref = await harness.connections.store.put("benchmark", photo(0), "image/jpeg")
                    for _ in range(20):
                        await harness.output(await harness.submit("image-greyscale", {"image": ref.to_dict()}))
                process = psutil.Process(worker.process.pid)
                for one in (process, *process.children(recursive=True)):
                    memory = one.memory_full_info()
                    show(
                        "memory",
                        worker=name,
                        process=role(one, worker),
                        resident_mib=memory.rss / _MIB,
                        unique_mib=memory.uss / _MIB,
                    )


if __name__ == "__main__":
    uvloop.run(main())
