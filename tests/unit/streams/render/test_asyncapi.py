"""The AsyncAPI document: every topic, its records, and which of them are for others."""

import json
from typing import Any

import fastavro
import jsonschema
import pytest

from streams.render.asyncapi import AVRO, JSON, asyncapi
from streams.wire import topic_specs, topics
from streams.wire.topics import Topics
from tests.unit.streams.render.example import shipped


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document of everything that is shipped, as a client reads it."""
    made: dict[str, Any] = json.loads(json.dumps(asyncapi(shipped(), kafka="a:1, b:2", registry="http://r:3")))
    return made


def test_names_every_topic(document: dict[str, Any]) -> None:
    """Each topic that an installation has is a channel."""
    used = {(name, use.major) for one in shipped() for name, use in one.services.items()}
    specs = topic_specs.every(Topics(), 8, services=used, pipelines=[one.name for one in shipped()])
    addresses = [channel["address"] for channel in document["channels"].values()]
    assert len(set(addresses)) == len(addresses)
    assert set(addresses) == {spec.name for spec in specs}


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    """Operations refer to channels and messages, and messages to traits, that are in the document."""

    def walk(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return own + [found for inner in value.values() for found in walk(inner)]
        return [found for inner in value for found in walk(inner)] if isinstance(value, list) else []

    for reference in set(walk(document)):
        place = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
    assert len(document["operations"]) == len(document["channels"])


def test_payloads_are_schemas(document: dict[str, Any]) -> None:
    """Avro payloads are read by another implementation of Avro as they stand; JSON payloads are JSON Schemas."""
    for channel in document["channels"].values():
        payload = channel["messages"]["record"]["payload"]
        assert payload["schemaFormat"] == AVRO
        fastavro.parse_schema(payload["schema"])
        if "json" in channel["messages"]:
            assert channel["messages"]["json"]["contentType"] == JSON
            jsonschema.Draft202012Validator.check_schema(channel["messages"]["json"]["payload"])


def test_a_request_may_be_json(document: dict[str, Any]) -> None:
    """A request is offered as Avro and as JSON, and what others send is `receive` on our side."""
    channel = document["channels"]["pipeline_face-blur_requests"]
    assert set(channel["messages"]) == {"record", "json"}
    ref = {"bucket": "b", "key": "k", "size": 1, "sha256": "0" * 64, "media_type": "image/png"}
    jsonschema.validate({"photo": ref}, channel["messages"]["json"]["payload"])
    for message in channel["messages"].values():
        assert set(message["headers"]["properties"]) == {"millrace-run", "content-type"}
    assert document["operations"]["receive-pipeline_face-blur_requests"]["action"] == "receive"
    assert document["operations"]["send-pipeline_face-blur_results"]["action"] == "send"


def test_internal_topics_are_marked(document: dict[str, Any]) -> None:
    """The topics of our own agents say that they are: no stranger should write to them."""
    marked = {one["address"] for one in document["channels"].values() if one.get("tags")}
    assert topics.TOKENS in marked
    assert "task.image-blur.v1" in marked
    assert topics.EVENTS not in marked


def test_servers_are_the_brokers(document: dict[str, Any]) -> None:
    """Each bootstrap server is named, with the registry that holds the schemas."""
    assert [one["host"] for one in document["servers"].values()] == ["a:1", "b:2"]
    assert document["servers"]["kafka"]["bindings"]["kafka"]["schemaRegistryUrl"] == "http://r:3"


def test_a_prefix_stands_before_every_address() -> None:
    """An installation with a prefix describes its own topics."""
    made = asyncapi(shipped("face-blur"), Topics("test-"))
    assert all(one["address"].startswith("test-") for one in made["channels"].values())
