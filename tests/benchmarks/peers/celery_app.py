"""Celery on Redis, as its optimising guide says: prefork with a process a core, fair, no gossip, no events."""

import asyncio
import contextlib
import json
import os
from collections.abc import Mapping
from typing import Any

import redis.asyncio
from celery import Celery, chain

from tests.benchmarks.jobs import JOBS, Job
from tests.benchmarks.peers import work

REDIS = os.environ["PEER_REDIS"]
app = Celery("peers", broker=f"{REDIS}/0", backend=f"{REDIS}/1")
app.conf.update(
    result_expires=3600,
    task_ignore_result=False,
    worker_send_task_events=False,
    worker_prefetch_multiplier=4,
    broker_connection_retry_on_startup=True,
)


@app.task
def picture(ref: dict[str, Any], job: str, step: int) -> dict[str, Any]:
    """One step of a job with pictures."""
    return work.picture_step(JOBS[job], step, ref)


@app.task
def score(record: dict[str, Any], job: str) -> dict[str, Any]:
    """A score."""
    return work.score_now(JOBS[job], record)


class Front:
    """Sends tasks, and hears of every result as Celery's backend publishes it: one subscription, no polling."""

    def __init__(self) -> None:
        self._awaited: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._hearing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Subscribes."""
        heard = redis.asyncio.from_url(f"{REDIS}/1").pubsub()
        await heard.psubscribe("celery-task-meta-*")
        self._hearing = asyncio.create_task(self._hear(heard))

    async def ask(self, job: Job, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """The result of one run."""
        if job.pictures:
            more = [picture.s(job.name, number) for number in range(1, len(job.steps))]
            first = picture.s(dict(payload), job.name, 0)
            whole = chain(first, *more) if more else first
        else:
            whole = score.s(dict(payload), job.name)
        id = whole.apply_async().id  # nothing is heard of it before this waits
        found = self._awaited[id] = asyncio.get_running_loop().create_future()
        result: Mapping[str, Any] = await found
        return result

    async def _hear(self, heard: Any) -> None:
        async for message in heard.listen():
            if message["type"] != "pmessage":
                continue
            told = json.loads(message["data"])
            waiting = self._awaited.pop(told["task_id"], None)
            if waiting is None or waiting.done():
                continue
            with contextlib.suppress(asyncio.InvalidStateError):
                if told["status"] == "SUCCESS":
                    waiting.set_result(told["result"])
                else:
                    waiting.set_exception(RuntimeError(str(told)))
