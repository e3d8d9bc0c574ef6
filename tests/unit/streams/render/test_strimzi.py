"""Strimzi resources: the same topics that `apply` makes, and users with just the rights of their part."""

import re
from typing import Any

import jsonschema
import pytest
import yaml

from streams.render.strimzi import Cluster, strimzi, to_yaml
from streams.wire import topic_specs
from streams.wire.topics import Topics
from tests.unit.streams.render.example import CONTRACTS, shipped

SERVICES = [(contract.name, contract.major) for contract in CONTRACTS.values()]

RESOURCE = {
    "type": "object",
    "properties": {
        "apiVersion": {"const": "kafka.strimzi.io/v1"},
        "kind": {"enum": ["KafkaTopic", "KafkaUser"]},
        "metadata": {
            "type": "object",
            "properties": {
                "name": {
                    "type": "string",
                    "maxLength": 253,
                    "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
                },
                "labels": {"type": "object", "required": ["strimzi.io/cluster"]},
            },
            "required": ["name", "labels"],
        },
        "spec": {"type": "object"},
    },
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "additionalProperties": False,
}
"""What both kinds have: names as Kubernetes takes them, and the cluster that they belong to."""

SPECS: dict[str, dict[str, Any]] = {
    "KafkaTopic": {
        "type": "object",
        "properties": {
            "topicName": {"type": "string"},
            "partitions": {"type": "integer", "minimum": 1},
            "replicas": {"type": "integer", "minimum": 1, "maximum": 32767},
            "config": {"type": "object", "additionalProperties": {"type": "string"}},
        },
        "required": ["partitions", "replicas"],
        "additionalProperties": False,
    },
    "KafkaUser": {
        "type": "object",
        "properties": {
            "authentication": {
                "type": "object",
                "properties": {"type": {"enum": ["tls", "tls-external", "scram-sha-512"]}},
                "required": ["type"],
                "additionalProperties": False,
            },
            "authorization": {
                "type": "object",
                "properties": {
                    "type": {"const": "simple"},
                    "acls": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "resource": {
                                    "type": "object",
                                    "properties": {
                                        "type": {"enum": ["topic", "group"]},
                                        "name": {"type": "string"},
                                        "patternType": {"enum": ["literal", "prefix"]},
                                    },
                                    "required": ["type", "name", "patternType"],
                                    "additionalProperties": False,
                                },
                                "operations": {
                                    "type": "array",
                                    "items": {"enum": ["Read", "Write", "Create", "Describe", "DescribeConfigs"]},
                                    "minItems": 1,
                                    "uniqueItems": True,
                                },
                                "host": {"const": "*"},
                            },
                            "required": ["resource", "operations"],
                            "additionalProperties": False,
                        },
                    },
                },
                "required": ["type", "acls"],
                "additionalProperties": False,
            },
        },
        "required": ["authentication", "authorization"],
        "additionalProperties": False,
    },
}
"""What the custom resource definitions of Strimzi's v1 API ask of each kind."""


def made(names: Topics = Topics(), cluster: Cluster = Cluster()) -> list[dict[str, Any]]:  # noqa: B008  # frozen
    """The resources of everything that is shipped."""
    return strimzi(shipped(), SERVICES, names, 8, cluster)


def rights(resources: list[dict[str, Any]], user: str) -> dict[str, set[str]]:
    """What a user may do: `topic run.events` → operations; a prefix ends with `*`."""
    (found,) = [one for one in resources if one["kind"] == "KafkaUser" and one["metadata"]["name"] == user]
    return {
        f"{acl['resource']['type']} {acl['resource']['name']}"
        + ("*" if acl["resource"]["patternType"] == "prefix" else ""): set(acl["operations"])
        for acl in found["spec"]["authorization"]["acls"]
    }


@pytest.mark.parametrize("dynamic", [False, True])
def test_resources_are_what_the_operator_takes(dynamic: bool) -> None:
    """Every resource has the form of its kind, through YAML and back, and no two of a kind have one name."""
    resources = list(yaml.safe_load_all(to_yaml(made(cluster=Cluster(dynamic=dynamic)))))
    for one in resources:
        jsonschema.validate(one, RESOURCE)
        jsonschema.validate(one["spec"], SPECS[one["kind"]])
    names = [(one["kind"], one["metadata"]["name"]) for one in resources]
    assert len(set(names)) == len(names)


def test_topics_are_those_that_apply_makes() -> None:
    """Names, partitions and configuration are taken from the table that the runtime makes topics from."""
    specs = topic_specs.every(Topics(), 8, services=SERVICES, pipelines=[one.name for one in shipped()])
    topics = [one for one in made(cluster=Cluster(replicas=3)) if one["kind"] == "KafkaTopic"]
    assert {one["metadata"]["name"]: one["spec"] for one in topics} == {
        spec.name: {"partitions": spec.partitions, "replicas": 3, "config": dict(spec.config)} for spec in specs
    }


def test_a_service_may_do_its_work_and_no_more() -> None:
    """A service reads its own tasks, writes to flow, events, retries and dead letters, and to the services after it."""
    may = rights(made(), "image-crop")
    writes = {name for name, operations in may.items() if "Write" in operations}
    assert writes == {
        "topic run.events",
        "topic flow.tokens",
        "topic dead.letters",
        "topic catalog.services",
        "topic catalog.workers",
        "topic catalog.pipelines",
        "topic task.image-resize.v1",
        *(f"topic retry.{tier}" for tier in ("1s", "5s", "30s", "5m")),
    }
    reads = {name for name, operations in may.items() if "Read" in operations}
    assert reads == {
        "group image-crop",
        "topic task.image-crop.v1",
        "topic catalog.services",
        "topic catalog.pipelines",
        "topic run.control",
        "topic models.updates",
    }
    assert not any(name.endswith("*") for name in may)


def test_strangers_topics_are_out_of_reach_of_services() -> None:
    """No service may ask for runs, end them, or write results: that is flow's and the gateway's."""
    for name, _ in SERVICES:
        may = rights(made(), name)
        edges = {topic: done for topic, done in may.items() if re.match(r"topic pipeline\.", topic)}
        assert edges == {
            f"topic pipeline.{name}.requests": {"Describe"},
            f"topic pipeline.{name}.results": {"Describe"},
        }


def test_flow_reads_every_request_and_writes_every_result() -> None:
    """Flow alone keeps the state of runs, and may write to all that a pipeline may enter."""
    may = rights(made(), "flow")
    assert may["topic flow.state"] == {"Read", "Write"}
    assert may["topic pipeline.face-blur.requests"] == {"Read"}
    assert may["topic pipeline.face-blur.results"] == {"Write"}
    assert may["topic task.face-detect.v1"] == {"Read", "Write"}


def test_the_recorder_changes_nothing() -> None:
    """The recorder reads events, and can write dead letters and how it is only."""
    may = rights(made(), "recorder")
    assert {name for name, operations in may.items() if "Write" in operations} == {
        "topic dead.letters",
        "topic catalog.workers",
    }
    assert may["group recorder"] == {"Read"}


def test_pipelines_over_http_need_wider_rights() -> None:
    """Only when it is asked for may services send to any service, and the gateway publish pipelines and make topics."""
    narrow, wide = made(), made(cluster=Cluster(dynamic=True))
    assert "topic task.*" not in rights(narrow, "image-crop")
    assert rights(wide, "image-crop")["topic task.*"] == {"Write"}
    assert rights(narrow, "gateway")["topic catalog.pipelines"] == {"Read"}
    assert rights(wide, "gateway")["topic catalog.pipelines"] == {"Read", "Write"}
    assert rights(wide, "gateway")["topic pipeline.*"] == {"Create", "Write"}


def test_a_prefix_that_kubernetes_does_not_take() -> None:
    """With such a prefix, a resource has a plain name and says its topic's real one; rights name the real one too."""
    resources = made(Topics("Team_A."))
    events = next(one for one in resources if one["spec"].get("topicName") == "Team_A.run.events")
    assert events["metadata"]["name"] == "team-a.run.events"
    assert "topic Team_A.run.events" in rights(resources, "team-a.flow")
    assert "group Team_A.flow" in rights(resources, "team-a.flow")
