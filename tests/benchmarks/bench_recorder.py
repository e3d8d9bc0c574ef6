"""What the recorder's writing costs: runs of one service, four events each, straight into a PostgreSQL of its own.

    python -m tests.benchmarks.bench_recorder [RUNS]

Processor time a run, here (turning events into rows) and in PostgreSQL, by how many runs come in one transaction. How far the recorder
is behind under a load on the whole stack is told by `bench_history`.
"""

import asyncio
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg

from infra.local.stack import Stack
from streams.messages import Event, EventKind, Run
from streams.runtime.history import tables
from streams.runtime.history.folding import LoggedEvent
from streams.runtime.history.recorder import record
from streams.wire.codec import SentEvent
from streams.wire.records import Place
from tests.benchmarks.figures import show

EVENTS = 4
BATCHES = (1, 25, 125, 500)
INPUT = {f"f{number:02}": number / 7 for number in range(20)}
OUTPUT = {"score": 0.25, "label": "no"}


def story(run: Run) -> list[Event]:
    """What happens in a run of one service."""
    accepted = {"pipeline": run.pipeline, "digest": run.digest, "input": INPUT, "source": "pipeline.score.requests/0@1"}
    return [
        Event(run, EventKind.ACCEPTED, data=accepted),
        Event(run, EventKind.STARTED, "score", (), "score", 1, {"service": "score", "input": INPUT}),
        Event(run, EventKind.FINISHED, "score", (), "score", 1, {"output": OUTPUT}),
        Event(run, EventKind.RUN_FINISHED, data={"output": OUTPUT}),
    ]


def batches(runs: int, size: int, offset: int) -> Iterator[list[LoggedEvent]]:
    """Batches of whole runs, as a partition's log has them when many run at once: all begin before the first one ends."""
    for first in range(0, runs, size):
        told = [story(Run(str(uuid.uuid4()), "score", "d" * 64, 2e9)) for _ in range(min(size, runs - first))]
        events = [run[number] for number in range(EVENTS) for run in told]
        now = time.time()
        yield [
            LoggedEvent(SentEvent(event, event.id, now), Place("run.events", 0), offset + first * EVENTS + number)
            for number, event in enumerate(events)
        ]


async def main(runs: int) -> None:
    """Measures each size of batch, a warm-up before it."""
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder), ["postgres"], preferred=False) as stack:
        connection: psycopg.AsyncConnection[Any]
        async with await psycopg.AsyncConnection.connect(stack.settings.postgres, autocommit=True) as connection:
            await tables.ensure(connection)
            server = psutil.Process(connection.info.backend_pid)
            offset = 0
            for size in BATCHES:
                count = min(runs, 40 * size)
                for measured in (False, True):
                    made = list(batches(count, size, offset))
                    offset += count * EVENTS
                    here, there, begun = time.process_time(), _cpu(server), time.perf_counter()
                    for batch in made:
                        await record(connection, batch)
                    took = time.perf_counter() - begun
                    if measured:
                        show(
                            "recorder",
                            runs_a_batch=size,
                            runs=count,
                            python_us=(time.process_time() - here) / count * 1e6,
                            postgres_us=(_cpu(server) - there) / count * 1e6,
                            took_us=took / count * 1e6,
                        )
            found = await connection.execute("select count(*) from events")
            assert await found.fetchone() == (offset,)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
