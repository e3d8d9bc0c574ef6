"""FastStream on Kafka, as its documentation says: one process a core (`faststream run --workers`), replies by correlation id."""

import asyncio
import os
from collections.abc import Mapping
from typing import Any

from faststream import FastStream
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.security import SASLPlaintext

from tests.benchmarks.jobs import JOBS, Job
from tests.benchmarks.peers import topics, work

login = SASLPlaintext(os.environ["MILLRACE_KAFKA_USER"], topics.password())
broker = KafkaBroker(
    os.environ["MILLRACE_KAFKA"], security=login, logger=None
)  # else it writes two lines for each message
app = FastStream(broker)


def _serve(job: Job, number: int) -> None:
    last = number + 1 == len(job.steps)
    target = topics.REPLIES if last else topics.step(job, number + 1)

    async def picture(ref: dict[str, Any], message: KafkaMessage) -> None:
        made = await asyncio.to_thread(work.picture_step, job, number, ref)
        await broker.publish(made, target, correlation_id=message.correlation_id)

    async def score(record: dict[str, Any], message: KafkaMessage) -> None:
        made = await work.score(job, record)
        await broker.publish(made, target, correlation_id=message.correlation_id)

    subscribed = broker.subscriber(topics.step(job, number), group_id=topics.GROUP, max_workers=4)
    subscribed(picture if job.pictures else score)


if os.environ.get("PEER_ROLE") == "worker":
    for _job in JOBS.values():
        for _number in range(len(_job.steps)):
            _serve(_job, _number)


class Front:
    """Publishes requests, and reads all replies."""

    def __init__(self) -> None:
        self._awaited: dict[str, asyncio.Future[dict[str, Any]]] = {}

    async def start(self) -> None:
        """Connects and subscribes."""
        broker.subscriber(topics.REPLIES, auto_offset_reset="latest")(self._hear)
        await broker.start()

    async def ask(self, job: Job, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """The result of one run."""
        id, found = topics.fresh(self._awaited)
        await broker.publish(dict(payload), topics.step(job, 0), correlation_id=id)
        return await found

    async def _hear(self, reply: dict[str, Any], message: KafkaMessage) -> None:
        waiting = self._awaited.pop(message.correlation_id or "", None)
        if waiting is not None and not waiting.done():
            waiting.set_result(reply)
