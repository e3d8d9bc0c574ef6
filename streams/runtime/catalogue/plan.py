"""What `apply` is about to do, computed before anything is done: topics, schemas, pipelines, and who is concerned."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from streams.flow.rollout import Trial
from streams.language.topology import Topology
from streams.runtime.catalogue import subjects, versions
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.catalogue.services import Services
from streams.runtime.catalogue.version import Owner, Version, new_version, withdrawn
from streams.runtime.connections.connections import Connections
from streams.wire import topic_specs, topics
from streams.wire.topic_specs import TopicSpec


class What(StrEnum):
    """What kind of thing changes."""

    TOPIC = "topic"
    SCHEMA = "schema"
    PIPELINE = "pipeline"


class How(StrEnum):
    """What happens to it."""

    NEW = "new"
    CHANGED = "changed"
    CANARY = "canary"  # tried for a share of the runs
    SHADOW = "shadow"  # tried on every request, unseen
    TAKEN = "taken over"  # it was published over HTTP, and files own it from now on
    REMOVED = "removed"
    UNCHANGED = "unchanged"
    UNUSED = "no longer used"  # a topic that stays, with its records


@dataclass(frozen=True)
class Change:
    """One thing that is not as wanted."""

    what: What
    name: str
    how: How
    detail: str = ""


@dataclass(frozen=True)
class Wanted:
    """A pipeline as it should be: its topology, and the text that it was compiled from."""

    topology: Topology
    source: str


@dataclass(frozen=True)
class Consumer:
    """A consumer group that reads a topic of the plan, and how many live workers it has; None when that is not known."""

    group: str
    workers: int | None = None


@dataclass(frozen=True)
class Planned:
    """What happens to one pipeline."""

    name: str
    how: How
    detail: str = ""
    runs: Mapping[str, int] = field(default_factory=dict)
    """Running runs by digest, as the history knows them; each ends on the version that it began on."""
    services: tuple[Consumer, ...] = ()
    """The services that do its work."""
    version: Version | None = None
    """What will be published; None for an unchanged pipeline."""
    topology: Topology | None = None


@dataclass(frozen=True)
class Plan:
    """Everything that `apply` would do."""

    pipelines: tuple[Planned, ...]
    topics: tuple[Change, ...] = ()
    schemas: Mapping[str, Any] = field(default_factory=dict)
    """Schemas that the registry does not have, by subject."""
    specs: tuple[TopicSpec, ...] = ()
    stamped: tuple[str, ...] = ()
    """Request topics whose records the broker is to timestamp from now on."""
    first: bool = False
    """Whether there is no catalogue of pipelines yet."""
    runs_known: bool = True
    """Whether the history could say which runs are in progress."""

    @property
    def acts(self) -> tuple[Planned, ...]:
        """The pipelines that change."""
        return tuple(planned for planned in self.pipelines if planned.how is not How.UNCHANGED)

    @property
    def changes(self) -> list[Change]:
        """Everything that changes, topics first."""
        return [
            *(change for change in self.topics if change.how in (How.NEW, How.CHANGED)),
            *(Change(What.SCHEMA, subject, How.NEW) for subject in self.schemas),
            *(Change(What.PIPELINE, planned.name, planned.how, planned.detail) for planned in self.acts),
        ]


@dataclass(frozen=True)
class _Installation:
    """What there is at present."""

    topics: frozenset[str]
    catalogue: Pipelines
    services: Services | None
    """The live services; None where there is no catalogue yet."""
    runs: Mapping[str, int]
    """Running runs by digest."""


async def draw(
    connections: Connections,
    catalogue: Pipelines,
    wanted: Iterable[Wanted],
    services: Iterable[tuple[str, int]] = (),
    *,
    prune: bool = False,
    trial: Trial | None = None,
) -> Plan:
    """Draw the plan, and start `catalogue` where the installation has one already.

    `services`, `prune` and `trial` are those of `apply`.
    """
    pipelines = {pipeline.topology.name: pipeline for pipeline in wanted}
    topologies = [pipeline.topology for pipeline in pipelines.values()]
    used = {(name, use.major) for topology in topologies for name, use in topology.services.items()}
    specs = topic_specs.every(
        connections.names, connections.settings.partitions, services={*used, *services}, pipelines=sorted(pipelines)
    )
    existing = frozenset(await connections.admin.names(connections.names.prefix))
    missing = asyncio.create_task(
        subjects.missing(connections.registry, subjects.subjects(connections.names, topologies))
    )
    requests = sorted(name for name in existing if connections.names.is_requests(name))
    unstamped = await connections.admin.unlike(requests, topic_specs.STAMPED_BY_BROKER)
    first = connections.topic(topics.PIPELINES) not in existing
    runs: dict[str, int] | None = {}
    live = Services(connections)
    if not first:
        _, _, runs = await asyncio.gather(catalogue.start(), live.start(), versions.running(connections.settings))
    try:
        installation = _Installation(existing, catalogue, None if first else live, runs or {})
        planned = [_planned(pipeline, catalogue, trial) for pipeline in pipelines.values()]
        if prune:
            planned += _removed(catalogue, pipelines)
        removed = [pipeline.name for pipeline in planned if pipeline.how is How.REMOVED]
        changes = [
            *_topic_changes(connections, specs, existing, removed),
            *(Change(What.TOPIC, name, How.CHANGED, _differences(now)) for name, now in unstamped.items()),
        ]
        return Plan(
            pipelines=tuple(_concerned(plan, installation) for plan in sorted(planned, key=lambda plan: plan.name)),
            topics=tuple(changes),
            schemas=await missing,
            specs=specs,
            stamped=tuple(unstamped),
            first=first,
            runs_known=runs is not None,
        )
    finally:
        missing.cancel()
        await live.stop()


def _topic_changes(
    connections: Connections, specs: Iterable[TopicSpec], existing: frozenset[str], removed: Iterable[str]
) -> Iterable[Change]:
    for spec in specs:
        if spec.name not in existing:
            yield Change(What.TOPIC, spec.name, How.NEW, f"{spec.partitions} partitions")
    unused = [
        topic for name in removed for topic in (connections.names.requests(name), connections.names.results(name))
    ]
    for topic in unused:
        if topic in existing:
            yield Change(What.TOPIC, topic, How.UNUSED, "stays, for running runs and readers of results")


def _differences(now: Mapping[str, str]) -> str:
    return ", ".join(f"{key} {value} → {topic_specs.STAMPED_BY_BROKER[key]}" for key, value in now.items())


def _planned(wanted: Wanted, catalogue: Pipelines, trial: Trial | None) -> Planned:
    topology, active = wanted.topology, catalogue.version(wanted.topology.name)
    version = new_version(topology, wanted.source, Owner.GIT)
    name, digest = version.name, version.digest
    if active is None:
        return Planned(name, How.NEW, digest[:12], version=version, topology=topology)
    if (active.digest, active.source, active.owner) == (digest, version.source, Owner.GIT):
        return Planned(name, How.UNCHANGED, digest[:12], topology=topology)
    changed = How.CHANGED if active.owner is Owner.GIT else How.TAKEN
    if active.digest == digest:
        return Planned(name, changed, "only its text", version=version, topology=topology)
    detail = f"{active.digest[:12]} → {digest[:12]}"
    if trial is None:
        return Planned(name, changed, detail, version=version, topology=topology)
    if active.same(versions.tried(active, digest, trial)):
        return Planned(name, How.UNCHANGED, f"{trial} of {digest[:12]}", topology=topology)
    tried = How.SHADOW if trial.shadow else How.CANARY
    return Planned(name, tried, f"{detail}, {trial}", version=version, topology=topology)


def _removed(catalogue: Pipelines, wanted: Mapping[str, Wanted]) -> list[Planned]:
    """List the pipelines that files own and that are not wanted any more."""
    return [
        Planned(name, How.REMOVED, version.digest[:12], version=withdrawn(version))
        for name, version in catalogue.active().items()
        if version.owner is Owner.GIT and name not in wanted
    ]


def _concerned(planned: Planned, installation: _Installation) -> Planned:
    """Add the runs and services that a change concerns."""
    digests = [version.digest for version in installation.catalogue.known(planned.name)]
    services = planned.topology.services if planned.topology else {}
    return replace(
        planned,
        runs={digest: installation.runs[digest] for digest in digests if digest in installation.runs},
        services=tuple(_consumer(name, use.major, installation.services) for name, use in sorted(services.items())),
    )


def _consumer(service: str, major: int, live: Services | None) -> Consumer:
    return Consumer(service, len(live.workers(service, major)) if live else None)
