"""The AsyncAPI document: the public topics, for Kafka producers and consumers of other systems."""

from collections.abc import Mapping
from typing import Any

from gateway.parts import Parts
from schemas.library import inline, load
from schemas.results import result_schema
from streams import topics

_AVRO = "application/vnd.apache.avro+json;version=1.9.0"


def document(parts: Parts) -> dict[str, Any]:
    """AsyncAPI 3.0 as it stands at this moment."""
    names = parts.connections.names
    made: dict[str, Any] = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Millrace topics",
            "version": "0.1.0",
            "description": "Values are Avro in Confluent's wire format; a request may be JSON with the header"
            " `content-type: application/json`. The key of every record is the run's id.",
        },
        "defaultContentType": "application/avro",
        "servers": {
            "kafka": {
                "host": parts.settings.kafka.split(",")[0],
                "protocol": "kafka",
                "bindings": {"kafka": {"schemaRegistryUrl": parts.settings.registry, "schemaRegistryVendor": "confluent"}},
            }
        },
        "channels": {},
        "operations": {},
    }
    for version in parts.pipelines.active().values():
        topology = parts.pipelines.topology(version.digest)
        if topology is None:
            continue
        name, summary = version.name, topology.summary
        _add(made, names.requests(name), f"Starts a run of {name}: {summary}", topology.input, f"request-{name}", "receive")
        _add(
            made,
            names.results(name),
            f"How runs of {name} ended.",
            result_schema(name, topology.output),
            f"result-{name}",
            "send",
        )
    for topic, record, text in (
        (topics.EVENTS, "Event", "Every event of every run, in order within a run."),
        (topics.SERVICES, "Announcement", "Which worker serves which service; keyed by service and worker, compacted."),
        (topics.PIPELINES, "PipelineRecord", "Every version of every pipeline; keyed by name and digest, compacted."),
        (topics.DEAD_LETTERS, "DeadLetter", "What could not be processed, byte for byte, and why."),
    ):
        _add(made, names.named(topic), text, load(record), topic.replace(".", "-"), "send")
    return made


def _add(
    made: dict[str, Any], topic: str, text: str, schema: Mapping[str, Any], operation: str, action: str
) -> None:
    key = topic.replace(".", "-")
    made["channels"][key] = {
        "address": topic,
        "description": text,
        "messages": {
            "record": {
                "headers": {"type": "object", "properties": _HEADERS},
                "payload": {"schemaFormat": _AVRO, "schema": inline(schema)},
                "bindings": {"kafka": {"key": {"type": "string", "description": "The run's id."}}},
            }
        },
    }
    made["operations"][operation] = {
        "action": action,
        "channel": {"$ref": f"#/channels/{key}"},
        "summary": text,
        "messages": [{"$ref": f"#/channels/{key}/messages/record"}],
    }


_HEADERS = {
    name: {"type": "string", "description": text}
    for name, text in (
        ("ce_id", "CloudEvents: the message's id; the same message always has the same one."),
        ("ce_type", "CloudEvents: what it is, such as run.finished."),
        ("ce_source", "CloudEvents: who sent it."),
        ("ce_time", "CloudEvents: when."),
        ("content-type", "application/avro, or application/json for a request."),
        ("traceparent", "W3C trace context: the run is the trace."),
    )
}
