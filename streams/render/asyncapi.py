"""The AsyncAPI 3 document of an installation: every topic with its records, for Kafka producers and consumers of other systems."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from schemas.encoding.json_schema import json_schema
from schemas.library import inline, load
from schemas.results import result_schema
from streams.language.topology import Topology
from streams.wire import topics
from streams.wire.codec import RUN
from streams.wire.topics import RETRY_TIERS, Topics

AVRO = "application/vnd.apache.avro+json;version=1.9.0"
BINARY = "application/avro"
JSON = "application/json"
EVENT = "application/cloudevents+json"

_DESCRIPTION = """\
Values are Avro in Confluent's wire format (a zero byte, the schema's id in four bytes, the record); the subject of a
topic is its name with `-value`. A request may also be an object in JSON, and is read by its bytes, whatever its content type says.
Channels that are tagged `internal` belong to Millrace's own agents: read them, but do not write to them."""


@dataclass(frozen=True)
class _Channel:
    """One topic: what it is for, its record, its key, and which side others are on."""

    topic: str
    about: str
    schema: Mapping[str, Any]
    action: str
    """From the installation's side: `receive` what others send, `send` what others read."""
    key: str = "The run's id."
    internal: bool = False
    accepts_json: bool = False


def asyncapi(
    topologies: Iterable[Topology],
    names: Topics = Topics(),  # noqa: B008  # frozen
    *,
    kafka: str = "127.0.0.1:9092",
    registry: str = "",
    version: str = "0.1.0",
) -> dict[str, Any]:
    """Return the document. `kafka` are bootstrap servers, comma separated; `registry` the address of the schema registry."""
    pipelines = sorted(topologies, key=lambda pipeline: pipeline.name)
    channels = [*_public(pipelines, names), *_shared(names), *_tasks(pipelines, names)]
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Millrace topics", "version": version, "description": _DESCRIPTION},
        "defaultContentType": BINARY,
        "servers": {
            f"kafka{number or ''}": _server(host.strip(), registry) for number, host in enumerate(kafka.split(","))
        },
        "channels": {_key(channel.topic): _channel(channel) for channel in channels},
        "operations": {f"{channel.action}-{_key(channel.topic)}": _operation(channel) for channel in channels},
        "components": {"messageTraits": {"cloudEvents": {"headers": _HEADERS}}},
    }


def _public(pipelines: Iterable[Topology], names: Topics) -> Iterable[_Channel]:
    for pipeline in pipelines:
        about = f"{pipeline.name}: {pipeline.summary}" if pipeline.summary else pipeline.name
        key = f"Any. With the same UUID in the header {RUN}, its own run id; else that is made of the record's place."
        yield _Channel(
            names.requests(pipeline.name), f"Starts a run of {about}", pipeline.input, "receive", key, accepts_json=True
        )
        yield _Channel(
            names.results(pipeline.name),
            f"How runs of {pipeline.name} ended.",
            result_schema(pipeline.name, pipeline.output),
            "send",
        )


def _shared(names: Topics) -> Iterable[_Channel]:
    for topic, record, key, about in (
        (topics.EVENTS, "Event", "The run's id.", "Every event of every run, in order within a run."),
        (topics.SERVICES, "Announcement", "Service and worker.", "Which worker serves which service; compacted."),
        (topics.WORKERS, "WorkerState", "The worker.", "How each worker is, and what it cannot read; compacted."),
        (topics.PIPELINES, "PipelineRecord", "Name and digest.", "Every version of every pipeline; compacted."),
        (topics.MODELS, "ModelUpdate", "The service.", "Which model is to serve each service; compacted."),
        (topics.DEAD_LETTERS, "DeadLetter", "The run's id.", "What could not be processed, byte for byte, and why."),
    ):
        yield _Channel(names.named(topic), about, load(record), "send", key)
    for topic, record, about in (
        (topics.TOKENS, "FlowMessage", "Messages for flow: starts, tokens of joins, items of loops, deadlines."),
        (topics.STATE, "FlowRow", "The state of open runs, a row a record; compacted."),
        (topics.CONTROL, "Control", "Cancellations, and runs whose tasks are to be dropped."),
    ):
        key = "Run and row." if topic == topics.STATE else "The run's id."
        yield _Channel(names.named(topic), about, load(record), "receive", key, internal=True)


def _tasks(pipelines: Iterable[Topology], names: Topics) -> Iterable[_Channel]:
    """Yield the topics of tasks, each service's schema once, and the retry tiers, whose records are any of them."""
    uses = {(name, use.major): use.input for pipeline in pipelines for name, use in pipeline.services.items()}
    for (service, major), schema in sorted(uses.items()):
        about = f"Tasks of {service}; each has an envelope in the header millrace-envelope."
        yield _Channel(names.tasks(service, major), about, schema, "receive", "Run and path.", internal=True)
    for tier, seconds in RETRY_TIERS:
        about = f"Tasks that are tried again after {seconds:g} s; the header millrace-target says where they go then."
        yield _Channel(names.retry(tier), about, {"type": "bytes"}, "receive", "Run and path.", internal=True)


def _server(host: str, registry: str) -> dict[str, Any]:
    server: dict[str, Any] = {"host": host, "protocol": "kafka"}
    if registry:
        address = urlsplit(registry)
        shown = address._replace(netloc=address.netloc.rpartition("@")[2]).geturl()  # without a password
        server["bindings"] = {"kafka": {"schemaRegistryUrl": shown, "schemaRegistryVendor": "confluent"}}
    return server


def _channel(spec: _Channel) -> dict[str, Any]:
    bindings = {"kafka": {"key": {"type": "string", "description": spec.key}}}
    traits = [{"$ref": "#/components/messageTraits/cloudEvents"}]
    payload = {"schemaFormat": AVRO, "schema": _spaced(inline(spec.schema))}
    messages = {"record": {"contentType": BINARY, "payload": payload, "bindings": bindings, "traits": traits}}
    if spec.accepts_json:
        messages["json"] = {"contentType": JSON, "payload": json_schema(spec.schema), "bindings": bindings}
        for message in messages.values():
            message["headers"] = _REQUEST_HEADERS
    channel: dict[str, Any] = {"address": spec.topic, "description": spec.about, "messages": messages}
    return {**channel, "tags": [{"name": "internal"}]} if spec.internal else channel


def _operation(spec: _Channel) -> dict[str, Any]:
    channel = f"#/channels/{_key(spec.topic)}"
    kinds = ["record", "json"] if spec.accepts_json else ["record"]
    return {
        "action": spec.action,
        "channel": {"$ref": channel},
        "summary": spec.about,
        "messages": [{"$ref": f"{channel}/messages/{kind}"} for kind in kinds],
    }


def _key(topic: str) -> str:
    """Return a topic's name with letters, digits, dashes and underscores only; dots and dashes remain distinct."""
    return topic.replace(".", "_")


def _spaced(schema: Any) -> Any:
    """Return the schema with every full name split into name and namespace: AsyncAPI's own rules allow no other form."""
    if isinstance(schema, list):
        return [_spaced(branch) for branch in schema]
    if not isinstance(schema, Mapping):
        return schema
    spaced = {key: _spaced(value) if key in _TYPES else value for key, value in schema.items()}
    if "fields" in spaced:
        spaced["fields"] = [_spaced(field) for field in spaced["fields"]]
    space, dot, name = str(spaced.get("name", "")).rpartition(".")
    return {**spaced, "namespace": space, "name": name} if dot else spaced


_TYPES = frozenset({"type", "items", "values"})

_REQUEST_HEADERS = {
    "type": "object",
    "properties": {
        RUN: {"type": "string", "format": "uuid", "description": "The run's id; the key says the same."},
        "content-type": {"type": "string", "description": f"Anything; the data of {EVENT} is the request."},
    },
}
"""Headers that a sender may add to a request; all are optional."""

_HEADERS = {
    "type": "object",
    "properties": {
        name: {"type": "string", "description": text}
        for name, text in (
            ("ce_id", "CloudEvents: the message's id; the same message always has the same one."),
            ("ce_type", "CloudEvents: what it is, such as run.finished."),
            ("ce_source", "CloudEvents: who sent it."),
            ("ce_time", "CloudEvents: when."),
            ("content-type", "application/avro, or application/json for a request."),
            ("traceparent", "W3C trace context: the run is the trace."),
        )
    },
}
