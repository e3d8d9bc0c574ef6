"""A whole local stack that a benchmark can take apart: what comes from elsewhere stays up, Millrace's own processes come and go."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from confluent_kafka import Consumer, TopicPartition

from agents.loan import indicators_table
from agents.loan.indicators import Indicators, Month
from infra.local.parts.table import BACKEND, table
from infra.local.running import RunningStack
from infra.local.stack import Stack
from infra.local.stack_context import StackContext
from infra.local.supervision.supervisor import Supervisor
from streams.settings import Settings
from tests.benchmarks import broker
from tests.benchmarks.processes import Groups

MAY = {Month(2010, 5): Indicators(0.5, 93.876, -40.0, 0.687, 5017.5)}
"""The month that customers are scored in."""


@dataclass
class Backend:
    """Kafka, registry, S3 and PostgreSQL, up, with the topics and pipelines that `make run` makes."""

    stack: Stack
    context: StackContext

    @property
    def settings(self) -> Settings:
        """Where everything is."""
        return self.context.settings()

    @property
    def groups(self) -> Groups:
        """Its processes."""
        return {name: [pid] for name in BACKEND if (pid := self.stack.part(name).pid) is not None}

    async def ends(self, topic: str) -> dict[int, int]:
        """The offset that the next record of each partition of a topic will have."""
        return await asyncio.to_thread(self._ends, topic)

    def _ends(self, topic: str) -> dict[int, int]:
        client = Consumer({**self.settings.brokers.confluent(), "group.id": "benchmark", "log_level": 0})
        try:
            partitions = client.list_topics(topic, timeout=10).topics[topic].partitions
            marks = {number: client.get_watermark_offsets(TopicPartition(topic, number)) for number in partitions}
            return {number: mark[1] for number, mark in marks.items() if mark is not None}
        finally:
            client.close()

    def requests(self) -> Mapping[str, int]:
        """What the broker has answered so far, by kind."""
        pid = self.stack.part("kafka").pid
        assert pid is not None
        return broker.requests(self.context.parts, pid)


@asynccontextmanager
async def backend() -> AsyncIterator[Backend]:
    """A backend in a home of its own, on free ports; the environment leads to it."""
    with tempfile.TemporaryDirectory(prefix="millrace-bench-") as folder:
        home = RunningStack(Path(folder)).home
        names = (*BACKEND, "apply")
        with Stack(home, names, preferred=False) as stack:
            context = stack.context
            os.environ.update(context.settings().environ())
            async with await psycopg.AsyncConnection.connect(
                context.settings().postgres, autocommit=True
            ) as connection:
                await indicators_table.ensure(connection)
                await indicators_table.write(connection, MAY)
            yield Backend(stack, context)


@contextmanager
def own(made: Backend) -> Iterator[Groups]:
    """Every process of Millrace's own that `make run` starts, all ready; their process ids by name."""
    supervisors = [
        Supervisor(part, made.context, [], lambda: None)
        for part in table()
        if part.name not in BACKEND and part.ready is not None
    ]
    try:
        for supervisor in supervisors:
            supervisor.start()
        for supervisor in supervisors:
            supervisor.settled.wait()
            if supervisor.error is not None:
                raise supervisor.error
        yield {
            supervisor.part.name: [supervisor.shown.pid]
            for supervisor in supervisors
            if supervisor.shown.pid is not None
        }
    finally:
        for supervisor in supervisors:
            supervisor.end()
