"""Quix Streams on Kafka, as its documentation says: streaming data frames, scaled by instances of one consumer group."""

import asyncio
import json
import os
import threading
from collections.abc import Mapping
from functools import partial
from typing import Any

from quixstreams import Application
from quixstreams.kafka import ConnectionConfig

from tests.benchmarks.jobs import JOBS, Job
from tests.benchmarks.peers import topics, work


def application(group: str, reset: str) -> Any:
    """An application of this consumer group."""
    way = ConnectionConfig(
        bootstrap_servers=os.environ["MILLRACE_KAFKA"],
        security_protocol="sasl_plaintext",
        sasl_mechanism="PLAIN",
        sasl_username=os.environ["MILLRACE_KAFKA_USER"],
        sasl_password=topics.password(),
    )
    return Application(
        broker_address=way,
        consumer_group=group,
        auto_offset_reset=reset,
        auto_create_topics=False,
        commit_interval=1.0,
        producer_extra_config={"linger.ms": 1},
        loglevel="WARNING",
    )


def serve() -> None:
    """Works until it is told to end."""
    app = application(topics.GROUP, "earliest")
    replies = app.topic(topics.REPLIES, value_serializer="json")
    for job in JOBS.values():
        for number in range(len(job.steps)):
            frame = app.dataframe(app.topic(topics.step(job, number), value_deserializer="json"))
            function = partial(work.picture_step, job, number) if job.pictures else partial(work.score_now, job)
            last = number + 1 == len(job.steps)
            target = replies if last else app.topic(topics.step(job, number + 1), value_serializer="json")
            frame.apply(function).to_topic(target)
    app.run()


class Front:
    """Produces requests, and consumes all replies in a thread; a run is known by its key."""

    def __init__(self) -> None:
        self._awaited: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._app = application(f"{topics.GROUP}.front", "latest")
        self._producer = self._app.get_producer()

    async def start(self) -> None:
        """Begins to consume."""
        ready = asyncio.get_running_loop().create_future()
        threading.Thread(target=self._hear, args=(asyncio.get_running_loop(), ready), daemon=True).start()
        await ready

    async def ask(self, job: Job, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """The result of one run."""
        id, found = topics.fresh(self._awaited)
        self._producer.produce(topics.step(job, 0), json.dumps(payload).encode(), id.encode())
        self._producer.poll(0)
        return await found

    def _hear(self, loop: asyncio.AbstractEventLoop, ready: "asyncio.Future[None]") -> None:
        consumer = self._app.get_consumer()
        consumer.subscribe([topics.REPLIES], on_assign=lambda *_: loop.call_soon_threadsafe(_done, ready))
        while True:
            message = consumer.poll(1.0)
            if message is not None and message.error() is None:
                loop.call_soon_threadsafe(self._settle, message.key().decode(), message.value())

    def _settle(self, id: str, value: bytes) -> None:
        waiting = self._awaited.pop(id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(json.loads(value))


def _done(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)


if __name__ == "__main__":
    serve()
