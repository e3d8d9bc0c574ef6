"""What the gateway publishes: requests of runs, the event that a run was accepted, and cancellations."""

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

_PATIENCE = 15.0
"""Seconds that a client waits for a publish before it is told to come back; the publish itself goes on."""

log = logging.getLogger(__name__)
T = TypeVar("T")


class Sender:
    """Publishes and returns when Kafka has it. Every method may raise RegistryAway, and Problem (503)."""

    def __init__(self, producer: Producer, wire: Wire, codec: Codec, topics: Topics) -> None:
        self._producer = producer
        self._wire = wire
        self._codec = codec
        self._topics = topics

    async def request(
        self, run: Run, schema: Mapping[str, Any], record: Mapping[str, Any], *, large: bool = False
    ) -> None:
        """Asks for a run of a pipeline. A repeated request of the same run changes nothing. `large`: see `Codec.encode`."""
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
        """Begins a run that no request on its pipeline's topic could ask for: one that repeats another."""
        await self._send(await self._wire.flow(message))

    async def accepted(self, run: Run, data: Mapping[str, Any]) -> RecordMetadata:
        """Says that a run was accepted; flow says the same, and who comes first is heard. Where it stands in the log."""
        return await self._send(await self._wire.event(Event(run, EventKind.ACCEPTED, data=data)))

    async def cancel(self, run: str) -> None:
        """Asks for a run to be cancelled."""
        await self._send(await self._wire.control(Control(run, Action.CANCEL)))

    async def _send(self, record: Outgoing) -> RecordMetadata:
        return await patiently(self._producer.send(record))


async def patiently(work: Awaitable[T]) -> T:
    """The result of a publish; Problem (503) when it takes too long. It is not given up then, only no longer waited for."""
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait((task,), timeout=_PATIENCE)
    if not done:
        task.add_done_callback(_log)
        raise Problem(Kind.AWAY, "Kafka does not answer; try again.", headers={"Retry-After": "5"})
    return task.result()


def _log(task: asyncio.Future[Any]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("a late publish failed: %s", task.exception())
