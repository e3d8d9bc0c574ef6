"""Publishing to Kafka: requests of runs, the event that a run was accepted, and cancellations."""

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from aiokafka.structs import RecordMetadata

from gateway.api.problems import Kind, Problem
from schemas.encoding.codec import Codec, value_subject
from streams.messages import Action, Control, Event, EventKind, Run, Start
from streams.runtime.kafka.producer import Producer
from streams.wire.codec import DIGEST, RUN, Wire, traceparent
from streams.wire.records import Outgoing
from streams.wire.topics import Topics

_TIMEOUT = 15.0
"""Seconds that a client waits for a publish before it gets a 503; the publish itself continues."""

log = logging.getLogger(__name__)
T = TypeVar("T")


class Sender:
    """Publishes and returns when Kafka has the record. Every method may raise RegistryUnavailable, and Problem (503)."""

    def __init__(self, producer: Producer, wire: Wire, codec: Codec, topics: Topics) -> None:
        self._producer = producer
        self._wire = wire
        self._codec = codec
        self._topics = topics

    async def request(
        self, run: Run, schema: Mapping[str, Any], record: Mapping[str, Any], *, large: bool = False
    ) -> None:
        """Request a run of a pipeline. Repeating the request of a run changes nothing. `large`: see `Codec.encode`."""
        topic = self._topics.requests(run.pipeline)
        value = await self._codec.encode(value_subject(topic), schema, record, large=large)
        headers = (
            ("ce_specversion", b"1.0"),
            ("ce_id", run.id.encode()),
            ("ce_type", b"millrace.request"),
            ("ce_source", b"gateway"),
            ("content-type", b"application/avro"),
            ("traceparent", traceparent(run.id, run.id).encode()),
            (RUN, run.id.encode()),
            (DIGEST, run.digest.encode()),
        )
        await self._send(Outgoing(topic, run.id.encode(), value, headers))

    async def start(self, message: Start) -> None:
        """Start a run that no request on its pipeline's topic could ask for: one that repeats another."""
        await self._send(await self._wire.flow(message))

    async def accepted(self, run: Run, data: Mapping[str, Any]) -> RecordMetadata:
        """Publish that a run was accepted and return its place in the log.

        Flow publishes the same event, and the first one counts.
        """
        return await self._send(await self._wire.event(Event(run, EventKind.ACCEPTED, data=data)))

    async def cancel(self, run: str) -> None:
        """Request that a run be cancelled."""
        await self._send(await self._wire.control(Control(run, Action.CANCEL)))

    async def _send(self, record: Outgoing) -> RecordMetadata:
        return await patiently(self._producer.send(record))


async def patiently(work: Awaitable[T]) -> T:
    """Return the result of a publish. Raises Problem (503) when it takes too long; the publish itself continues."""
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait((task,), timeout=_TIMEOUT)
    if not done:
        task.add_done_callback(_log)
        raise Problem(Kind.UNAVAILABLE, "Kafka does not answer; try again.", headers={"Retry-After": "5"})
    return task.result()


def _log(task: asyncio.Future[Any]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("a late publish failed: %s", task.exception())
