"""An installation as Strimzi resources: a KafkaTopic for every topic, a KafkaUser with just its rights for every part."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from streams import topic_specs, topics
from streams.render.follow import followers
from streams.topic_specs import TopicSpec
from streams.topics import RETRY_TIERS, Topics
from streams.topology import Topology

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


@dataclass(frozen=True)
class Right:
    """What a user may do with a topic or a consumer group, or with all whose name begins so."""

    kind: str
    name: str
    operations: tuple[str, ...]
    prefix: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The rule as Strimzi writes it."""
        pattern = "prefix" if self.prefix else "literal"
        resource = {"type": self.kind, "name": self.name, "patternType": pattern}
        return {"resource": resource, "operations": list(self.operations), "host": "*"}


def strimzi(
    pipelines: Iterable[Topology],
    services: Iterable[tuple[str, int]],
    names: Topics,
    partitions: int,
    cluster: Cluster = Cluster(),  # frozen
) -> list[dict[str, Any]]:
    """Every resource: topics first, then users. `services` are (name, major) of all that there are, used or not."""
    topologies = sorted(pipelines, key=lambda one: one.name)
    used = {(name, use.major) for one in topologies for name, use in one.services.items()} | set(services)
    specs = topic_specs.every(names, partitions, services=used, pipelines=[one.name for one in topologies])
    users = _users(topologies, sorted(used), names, cluster)
    return [
        *(topic_resource(spec, cluster) for spec in specs),
        *(_user_resource(name, rights, cluster) for name, rights in users),
    ]


def to_yaml(resources: Iterable[Mapping[str, Any]]) -> str:
    """The resources as one YAML file."""
    return HEAD + yaml.safe_dump_all(resources, sort_keys=False, explicit_start=True, width=120, allow_unicode=True)


def topic_resource(spec: TopicSpec, cluster: Cluster) -> dict[str, Any]:
    """One topic, with the same partitions and configuration that `millrace apply` makes it with."""
    made: dict[str, Any] = {
        "apiVersion": API,
        "kind": "KafkaTopic",
        "metadata": _metadata(spec.name, cluster),
        "spec": {"partitions": spec.partitions, "replicas": cluster.replicas, "config": dict(spec.config)},
    }
    if made["metadata"]["name"] != spec.name:
        made["spec"] = {"topicName": spec.name, **made["spec"]}
    return made


def _users(
    topologies: list[Topology], services: list[tuple[str, int]], names: Topics, cluster: Cluster
) -> Iterator[tuple[str, list[Right]]]:
    rights = _Rights(names)
    after = followers(topologies)
    majors = {
        (service, follower): use.major
        for one in topologies
        for service in one.services
        for follower, use in one.services.items()
    }
    by_name: dict[str, list[int]] = {}
    for name, major in services:
        by_name.setdefault(name, []).append(major)
    for name, own in by_name.items():
        sends = [names.tasks(one, majors[name, one]) for one in sorted(after.get(name, ()))]
        yield names.prefix + name, rights.service(name, own, sends, cluster.dynamic)
    yield names.prefix + "flow", rights.flow([one.name for one in topologies], services, cluster.dynamic)
    yield names.prefix + "retry", rights.retry(services, cluster.dynamic)
    yield names.prefix + "recorder", rights.recorder()
    yield names.prefix + "gateway", rights.gateway([one.name for one in topologies], cluster.dynamic)
    yield names.prefix + "apply", rights.apply()


class _Rights:
    """The rights of each part, in the words of its code: what it reads, writes, and only looks at."""

    def __init__(self, names: Topics) -> None:
        self.names = names
        self.core = tuple(spec.name for spec in topic_specs.core(names, 1))

    def service(self, name: str, majors: list[int], sends: Iterable[str], dynamic: bool) -> list[Right]:
        names = self.names
        topic = {names.tasks(name, major): {"Read"} for major in majors}
        for one in [topics.EVENTS, topics.TOKENS, topics.DEAD_LETTERS]:
            topic[names.named(one)] = {"Write"}
        for tier, _ in RETRY_TIERS:
            topic[names.retry(tier)] = {"Write"}
        for one in [topics.SERVICES, topics.PIPELINES]:  # it announces itself, and publishes its pipeline of one node
            topic[names.named(one)] = {"Write"}
        for one in sends:
            topic.setdefault(one, set()).add("Write")
        looks = [names.requests(name), names.results(name)]
        open_ends = [Right("topic", f"{names.prefix}task.", ("Write",), prefix=True)] if dynamic else []
        return self._worker(topic, [name], looks, open_ends)

    def flow(self, pipelines: list[str], services: list[tuple[str, int]], dynamic: bool) -> list[Right]:
        names = self.names
        topic = {
            names.named(topics.TOKENS): {"Read", "Write"},
            names.named(topics.STATE): {"Read", "Write"},
            names.named(topics.CONTROL): {"Read", "Write"},
            names.named(topics.EVENTS): {"Write"},
            names.named(topics.DEAD_LETTERS): {"Write"},
        }
        open_ends = []
        if dynamic:
            open_ends = [
                Right("topic", f"{names.prefix}pipeline.", ("Read", "Write"), prefix=True),
                Right("topic", f"{names.prefix}task.", ("Write",), prefix=True),
            ]
        else:
            edges = sorted({*pipelines, *(name for name, _ in services)})
            topic |= {names.requests(name): {"Read"} for name in edges}
            topic |= {names.results(name): {"Write"} for name in edges}
            topic |= {names.tasks(name, major): {"Write"} for name, major in services}
        return self._worker(topic, ["flow"], (), open_ends)

    def retry(self, services: list[tuple[str, int]], dynamic: bool) -> list[Right]:
        names = self.names
        topic = {names.retry(tier): {"Read"} for tier, _ in RETRY_TIERS}
        topic[names.named(topics.DEAD_LETTERS)] = {"Write"}
        open_ends = [Right("topic", f"{names.prefix}task.", ("Write",), prefix=True)] if dynamic else []
        if not dynamic:
            topic |= {names.tasks(name, major): {"Write"} for name, major in services}
        return self._worker(topic, [f"retry.{tier}" for tier, _ in RETRY_TIERS], (), open_ends)

    def recorder(self) -> list[Right]:
        named = self.names.named
        return self._worker({named(topics.EVENTS): {"Read"}, named(topics.DEAD_LETTERS): {"Write"}}, ["recorder"])

    def gateway(self, pipelines: list[str], dynamic: bool) -> list[Right]:
        names = self.names
        topic = {
            names.named(topics.EVENTS): {"Read", "Write"},
            names.named(topics.CONTROL): {"Write"},
            names.named(topics.SERVICES): {"Read"},
            names.named(topics.PIPELINES): {"Read", "Write"} if dynamic else {"Read"},
        }
        if dynamic:
            open_ends = [
                Right("topic", f"{names.prefix}pipeline.", ("Create", "Write"), prefix=True),
                Right("topic", f"{names.prefix}task.", ("Create", "Describe"), prefix=True),
            ]
            return [*_topic_rights(topic), *open_ends]
        topic |= {names.requests(name): {"Write"} for name in pipelines}
        return _topic_rights(topic)

    def apply(self) -> list[Right]:
        names = self.names
        return [
            Right("topic", names.named(topics.PIPELINES), ("Read", "Write")),
            *(Right("topic", one, ("Describe",)) for one in self.core if one != names.named(topics.PIPELINES)),
            Right("topic", f"{names.prefix}pipeline.", ("Describe",), prefix=True),
            Right("topic", f"{names.prefix}task.", ("Describe",), prefix=True),
        ]

    def _worker(
        self,
        topic: dict[str, set[str]],
        groups: Iterable[str],
        looks: Iterable[str] = (),
        open_ends: Iterable[Right] = (),
    ) -> list[Right]:
        """What every worker needs beside its own: it follows the catalogues and aborts, and checks the shared topics."""
        for one in [topics.SERVICES, topics.PIPELINES, topics.CONTROL, topics.MODELS]:
            topic.setdefault(self.names.named(one), set()).add("Read")
        for one in [*self.core, *looks]:
            topic.setdefault(one, {"Describe"})
        return [
            *(Right("group", self.names.named(group), ("Read",)) for group in groups),
            *_topic_rights(topic),
            *open_ends,
        ]


def _topic_rights(topic: Mapping[str, set[str]]) -> list[Right]:
    return [Right("topic", name, tuple(sorted(operations))) for name, operations in sorted(topic.items())]


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
    """Kubernetes takes lower-case letters, digits, dots and dashes; all our own names are such, a prefix may not be."""
    plain = re.sub(r"[^a-z0-9.-]+", "-", name.lower()).strip(".-")
    return {"name": plain, "labels": {"strimzi.io/cluster": cluster.name}}
