"""An installation as Strimzi resources: a KafkaTopic for every topic, a KafkaUser with just its rights for every part."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from streams.language.topology import Topology
from streams.render.follow import followers
from streams.render.rights import Right, Rights
from streams.wire import topic_specs
from streams.wire.topic_specs import TopicSpec
from streams.wire.topics import Topics

API = "kafka.strimzi.io/v1"

HEAD = """\
# Topics, users and rights of Millrace for Strimzi, compiled from its pipelines and the contracts of its services.
# Do not change it by hand: `millrace compile --strimzi` writes it.
"""


@dataclass(frozen=True)
class Cluster:
    """What the resources say about the cluster that they are for."""

    name: str = "millrace"
    """The `Kafka` resource that they belong to."""
    replicas: int = 1
    """Replicas of each partition."""
    authentication: str = "tls"
    """How users say who they are: tls, tls-external or scram-sha-512."""
    dynamic: bool = False
    """Whether pipelines may be put over HTTP: services may then send to any service, and the gateway makes topics."""


def strimzi(
    pipelines: Iterable[Topology],
    services: Iterable[tuple[str, int]],
    names: Topics,
    partitions: int,
    cluster: Cluster = Cluster(),  # frozen
) -> list[dict[str, Any]]:
    """Return every resource: topics first, then users. `services` are (name, major) of all that exist, used or not."""
    topologies = sorted(pipelines, key=lambda topology: topology.name)
    used = {(name, use.major) for topology in topologies for name, use in topology.services.items()} | set(services)
    specs = topic_specs.every(names, partitions, services=used, pipelines=[topology.name for topology in topologies])
    users = _users(topologies, sorted(used), names, cluster)
    return [
        *(topic_resource(spec, cluster) for spec in specs),
        *(_user_resource(name, rights, cluster) for name, rights in users),
    ]


def to_yaml(resources: Iterable[Mapping[str, Any]]) -> str:
    """Return the resources as one YAML file."""
    return HEAD + yaml.safe_dump_all(resources, sort_keys=False, explicit_start=True, width=120, allow_unicode=True)


def topic_resource(spec: TopicSpec, cluster: Cluster) -> dict[str, Any]:
    """Return one topic, with the partitions and configuration that `millrace apply` gives it."""
    resource: dict[str, Any] = {
        "apiVersion": API,
        "kind": "KafkaTopic",
        "metadata": _metadata(spec.name, cluster),
        "spec": {"partitions": spec.partitions, "replicas": cluster.replicas, "config": dict(spec.config)},
    }
    if resource["metadata"]["name"] != spec.name:
        resource["spec"] = {"topicName": spec.name, **resource["spec"]}
    return resource


def _users(
    topologies: list[Topology], services: list[tuple[str, int]], names: Topics, cluster: Cluster
) -> Iterator[tuple[str, list[Right]]]:
    rights = Rights(names)
    after = followers(topologies)
    majors = {
        (service, follower): use.major
        for topology in topologies
        for service in topology.services
        for follower, use in topology.services.items()
    }
    by_name: dict[str, list[int]] = {}
    for name, major in services:
        by_name.setdefault(name, []).append(major)
    for name, own in by_name.items():
        sends = [names.tasks(target, majors[name, target]) for target in sorted(after.get(name, ()))]
        yield names.prefix + name, rights.service(name, own, sends, cluster.dynamic)
    yield names.prefix + "flow", rights.flow([topology.name for topology in topologies], services, cluster.dynamic)
    yield names.prefix + "retry", rights.retry(services, cluster.dynamic)
    yield names.prefix + "recorder", rights.recorder()
    yield names.prefix + "models", rights.models()
    yield (
        names.prefix + "gateway",
        rights.gateway([topology.name for topology in topologies], services, cluster.dynamic),
    )
    yield names.prefix + "apply", rights.apply()


def _user_resource(name: str, rights: Iterable[Right], cluster: Cluster) -> dict[str, Any]:
    return {
        "apiVersion": API,
        "kind": "KafkaUser",
        "metadata": _metadata(name, cluster),
        "spec": {
            "authentication": {"type": cluster.authentication},
            "authorization": {"type": "simple", "acls": [right.to_dict() for right in rights]},
        },
    }


def _metadata(name: str, cluster: Cluster) -> dict[str, Any]:
    """Return the metadata of a resource. Kubernetes allows lower-case letters, digits, dots and dashes; a prefix may have others."""
    plain = re.sub(r"[^a-z0-9.-]+", "-", name.lower()).strip(".-")
    return {"name": plain, "labels": {"strimzi.io/cluster": cluster.name}}
