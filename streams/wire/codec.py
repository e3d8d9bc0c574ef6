"""Messages as Kafka records, and back: topic, key, value in Avro, headers. No Kafka client here; spilling asks a `Blobs`."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from schemas.encoding.codec import Codec, value_subject
from schemas.errors import Undecodable
from schemas.library import load
from schemas.refs import Ref
from schemas.results import result_schema
from streams.language.topology import Topology
from streams.lifecycle import RUN_ENDS
from streams.messages import (
    Control,
    Event,
    EventKind,
    FlowMessage,
    JoinToken,
    LoopItemDone,
    LoopOpened,
    Result,
    Start,
    StopSignal,
    Task,
    message_id,
)
from streams.wire import avro_records, topics
from streams.wire.records import Headers, Outgoing, Record
from streams.wire.topics import Topics

RUN = "millrace-run"
"""Header of a request: the id that its run is to have, which must be the record's key too. Without it, the run's id is derived
from the record's place."""
DIGEST = "millrace-digest"
"""Header of a request: the version that its client was promised; flow keeps to it as long as it is known."""
ENVELOPE = "millrace-envelope"
"""Header of a task: which node execution it is."""
SPILLED = "millrace-spilled"
"""Header with the ref of a value in S3, as JSON. The record's own value is then empty."""
ENVELOPE_SPILLED = "millrace-envelope-spilled"
LIMIT = 256 * 1024
"""Bytes above which a value or an envelope travels through S3."""

UNLESS = "millrace-unless"
"""Header naming the event that supersedes this one: progress is dropped once its node has ended."""

STRAIGHT = "millrace-straight"
"""Header of the first and the last event of a run that flow did not begin: flow reads these, and no other events."""

_AVRO = b"application/avro"


class Blobs(Protocol):
    """Where values that are too large for a record are kept."""

    async def put(self, run: str, data: bytes, media_type: str) -> Ref:
        """Store bytes among the run's objects, under their hash."""

    async def get(self, ref: Ref) -> bytes:
        """Return the bytes of a ref."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the state of a run in `flow.state`; a value of None removes it. `at` in epoch seconds."""

    run: str
    row: str
    value: Any
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class SentEvent:
    """An event as it was read: when it was sent first (epoch seconds), and its id."""

    event: Event
    id: str
    at: float


class Wire:
    """Encodes and decodes for one installation. Every method may raise RegistryUnavailable or a fault of its `Blobs`: try later."""

    def __init__(
        self,
        codec: Codec,
        names: Topics,
        blobs: Blobs,
        source: str = "millrace",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._codec = codec
        self._names = names
        self._blobs = blobs
        self._source = source.encode()
        self._clock = clock
        self._envelope = load("Envelope")
        self._flow = load("FlowMessage")
        self._event = load("Event")
        self._row = load("FlowRow")
        self._control = load("Control")
        self._results: dict[str, Any] = {}

    # Writing ---------------------------------------------------------------------------------------------------

    async def task(self, task: Task, topology: Topology) -> Outgoing:
        """Encode a task for its service's topic, keyed by run and path, so that a loop spreads over all partitions."""
        topic = self._names.tasks(task.service, task.major)
        schema = topology.services[task.service].input
        value = await self._codec.encode(value_subject(topic), schema, task.input)
        about = avro_records.envelope(task, self._clock())
        envelope = await self._codec.encode("millrace.Envelope", self._envelope, about)
        headers = [*self._headers(task.run.id, "millrace.task", task_id(task))]
        if len(envelope) > LIMIT:
            ref = await self._blobs.put(task.run.id, envelope, "application/avro")
            headers.append((ENVELOPE_SPILLED, _json(ref)))
        else:
            headers.append((ENVELOPE, envelope))
        return await self._outgoing(topic, f"{task.run.id}/{task.path}", value, headers, task.run.id)

    async def flow(self, message: FlowMessage) -> Outgoing:
        """Encode a message for flow, keyed by run."""
        topic = self._names.named(topics.TOKENS)
        kind, place, edge, at = _flow_place(message)
        run = message.run if isinstance(message, StopSignal) else message.run.id
        value = await self._codec.encode(
            value_subject(topic), self._flow, {"message": avro_records.flow(message, self._clock())}
        )
        headers = self._headers(run, f"millrace.{kind}", message_id(run, kind, place, at, 0, edge))
        return await self._outgoing(topic, run, value, headers, run)

    async def event(self, event: Event) -> Outgoing:
        """Encode an event, keyed by run; its time is now, unless it happened before."""
        topic = self._names.named(topics.EVENTS)
        now = event.time or self._clock()
        value = await self._codec.encode(value_subject(topic), self._event, avro_records.event(event, now))
        headers = self._headers(event.run.id, event.kind.value, event.id, now)
        if event.kind is EventKind.PROGRESS:
            headers.append((UNLESS, event.end.encode()))
        if event.run.straight and (event.kind is EventKind.ACCEPTED or event.kind.terminal):
            headers.append((STRAIGHT, b"1"))
        return await self._outgoing(topic, event.run.id, value, headers, event.run.id)

    async def control(self, control: Control) -> Outgoing:
        """Encode an order to workers about a run."""
        topic = self._names.named(topics.CONTROL)
        value = await self._codec.encode(
            value_subject(topic), self._control, {"run": control.run, "action": control.action.value}
        )
        headers = self._headers(
            control.run, f"millrace.{control.action}", message_id(control.run, control.action, "", ())
        )
        return Outgoing(topic, control.run.encode(), value, tuple(headers))

    async def result(self, result: Result, topology: Topology) -> Outgoing:
        """Encode the end of a run for other systems: typed, and never through S3."""
        run = result.run
        topic = self._names.results(run.pipeline)
        schema = self._results.get(run.digest)
        if schema is None:
            schema = self._results[run.digest] = result_schema(topology.name, topology.output)
        record: dict[str, Any] = {
            "run": run.id,
            "pipeline": run.pipeline,
            "digest": run.digest,
            "status": RUN_ENDS[result.kind].value,
            "output": result.output,
            "failure": None if result.failure is None else avro_records.failure(result.failure),
            "problems": [],
        }
        value = await self._codec.encode(value_subject(topic), schema, record)
        headers = self._headers(run.id, result.kind.value, message_id(run.id, "result", "", ()))
        return Outgoing(topic, run.id.encode(), value, tuple(headers))

    async def row(self, row: Row, partition: int) -> Outgoing:
        """Encode a row of a run's state for the partition of the run's tokens; a row without a value is a tombstone."""
        topic = self._names.named(topics.STATE)
        key = f"{row.run}|{row.row}"
        if row.value is None:
            return Outgoing(topic, key.encode(), None, partition=partition)
        record = {"run": row.run, "row": row.row, "value": row.value, "at": self._clock()}
        value = await self._codec.encode(value_subject(topic), self._row, record)
        return await self._outgoing(topic, key, value, [("content-type", _AVRO)], row.run, partition)

    # Reading ---------------------------------------------------------------------------------------------------

    async def read_task(self, record: Record, schema: Any) -> Task:
        """Return the task of a record, its input resolved to the service's own input schema. Raises Undecodable."""
        task = await self.read_envelope(record)
        return replace(task, input=await self._codec.decode(await self._value(record), schema))

    async def read_envelope(self, record: Record) -> Task:
        """Return the task of a record without its input, which may be unreadable. Raises Undecodable."""
        envelope = await self._spilled_header(record, ENVELOPE, ENVELOPE_SPILLED)
        if envelope is None:
            raise Undecodable(
                f"{record.where} has no header {ENVELOPE}: it was not sent by an agent of this installation"
            )
        about = await self._codec.decode(envelope, self._envelope)
        service, major = self._names.service_of(record.place.topic)
        return avro_records.task(about, {}, service, major)

    async def read_flow(self, record: Record) -> FlowMessage:
        """Return a message for flow. Raises Undecodable."""
        value = await self._codec.decode(await self._value(record), self._flow, tagged=True)
        return avro_records.read_flow(value["message"])

    async def read_event(self, record: Record) -> SentEvent:
        """Return an event. Raises Undecodable."""
        value = await self._codec.decode(await self._value(record), self._event)
        return SentEvent(avro_records.read_event(value), value["id"], value["time"])

    async def read_control(self, record: Record) -> Control:
        """Return an order to workers about a run. Raises Undecodable."""
        return avro_records.read_control(await self._codec.decode(await self._value(record), self._control))

    async def read_row(self, record: Record) -> Row:
        """Return a row of a run's state; value None for a tombstone. Raises Undecodable."""
        if record.value is None:
            run, _, row = (record.key or b"").decode(errors="replace").partition("|")
            return Row(run, row, None, record.timestamp)
        value = await self._codec.decode(await self._value(record), self._row)
        return Row(value["run"], value["row"], value["value"], value["at"])

    # Parts -----------------------------------------------------------------------------------------------------

    def _headers(self, run: str, kind: str, identity: str, now: float | None = None) -> list[tuple[str, bytes]]:
        moment = datetime.fromtimestamp(self._clock() if now is None else now, UTC).isoformat()
        return [
            ("ce_specversion", b"1.0"),
            ("ce_id", identity.encode()),
            ("ce_type", kind.encode()),
            ("ce_source", self._source),
            ("ce_time", moment.encode()),
            ("content-type", _AVRO),
            ("traceparent", traceparent(run, identity).encode()),
        ]

    async def _outgoing(
        self,
        topic: str,
        key: str,
        value: bytes,
        headers: list[tuple[str, bytes]],
        run: str,
        partition: int | None = None,
    ) -> Outgoing:
        if len(value) > LIMIT:
            ref = await self._blobs.put(run, value, "application/avro")
            headers = [*headers, (SPILLED, _json(ref))]
            value = b""
        return Outgoing(topic, key.encode(), value, tuple(headers), partition)

    async def _value(self, record: Record) -> bytes:
        spilled = record.header(SPILLED)
        if spilled is not None:
            return await self._blobs.get(_ref(record, spilled))
        if record.value is None:
            raise Undecodable(f"{record.where} has no value")
        return record.value

    async def _spilled_header(self, record: Record, inline: str, spilled: str) -> bytes | None:
        reference = record.header(spilled)
        return record.header(inline) if reference is None else await self._blobs.get(_ref(record, reference))


def task_id(task: Task) -> str:
    """Return the deterministic id of one attempt of one node execution."""
    return message_id(task.run.id, "task", task.vertex, task.at, task.attempt)


def traceparent(run: str, identity: str) -> str:
    """Return the W3C trace context of a message: the run is the trace, the message the span."""
    trace = hashlib.blake2b(run.encode(), digest_size=16).hexdigest()
    return f"00-{trace}-{identity.replace('-', '')[:16]}-01"


def content_type(headers: Headers) -> str:
    """Return the media type that a record's headers name; empty when they name none."""
    said = (value for name, value in reversed(headers) if name.lower() == "content-type" and value is not None)
    return next(said, b"").decode(errors="replace")


def _flow_place(message: FlowMessage) -> tuple[str, str, str, tuple[int, ...]]:
    """Return kind, place, edge and position: what makes a message for flow unique in its run."""
    match message:
        case Start():
            return "start", "", "", ()
        case JoinToken():
            return "token", message.join, message.edge, message.at
        case LoopOpened():
            return "opened", message.loop, "", message.at
        case LoopItemDone():
            return "item", message.loop, str(message.index), message.at
        case StopSignal():
            return f"stop.{message.ending}", message.join or "", "", message.at


def _json(ref: Ref) -> bytes:
    return json.dumps(ref.to_dict(), separators=(",", ":")).encode()


def _ref(record: Record, text: bytes) -> Ref:
    try:
        value: Mapping[str, Any] = json.loads(text)
        return Ref.from_dict(value)
    except ValueError as error:
        raise Undecodable(f"{record.where}: the header of a value in S3 is not a reference: {error}") from error
