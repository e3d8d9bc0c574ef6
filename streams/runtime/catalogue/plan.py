"""What `apply` is about to do, computed before anything is done: topics, schemas, pipelines, and whom it concerns."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from streams.flow.rollout import Trial
from streams.language.topology import Topology
from streams.runtime.catalogue import subjects, versions
from streams.runtime.catalogue.pipelines import Owner, Pipelines, Version, new_version, withdrawn
from streams.runtime.catalogue.services import Services
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
    TAKEN = "taken over"  # it was put over HTTP, and files own it from now on
    REMOVED = "removed"
    UNCHANGED = "unchanged"
    UNUSED = "no longer used"  # a topic that stays, with what is in it


@dataclass(frozen=True)
class Change:
    """One thing that was not in step."""

    what: What
    name: str
    how: How
    detail: str = ""


@dataclass(frozen=True)
class Wanted:
    """One pipeline as it should be: its topology, and the text that it was compiled from."""

    topology: Topology
    source: str


@dataclass(frozen=True)
class Consumer:
    """A consumer group that reads a topic of the plan, and how many live workers it has; None: it is not known."""

    group: str
    workers: int | None = None


@dataclass(frozen=True)
class Planned:
    """What becomes of one pipeline."""

    name: str
    how: How
    detail: str = ""
    runs: Mapping[str, int] = field(default_factory=dict)
    """Runs under way by digest, as the history knows them; they end on the version that they began on."""
    services: tuple[Consumer, ...] = ()
    """Who does its work."""
    version: Version | None = None
    """What will be said of it; None when nothing is."""
    topology: Topology | None = None


@dataclass(frozen=True)
class Plan:
    """Everything that `apply` would do."""

    pipelines: tuple[Planned, ...]
    topics: tuple[Change, ...] = ()
    schemas: Mapping[str, Any] = field(default_factory=dict)
    """Those that the registry does not have, by subject."""
    specs: tuple[TopicSpec, ...] = ()
    stamped: tuple[str, ...] = ()
    """Topics of requests whose records the broker is to stamp from now on."""
    first: bool = False
    """Whether there is no catalogue of pipelines yet."""
    runs_known: bool = True
    """Whether the history could say which runs are under way."""

    @property
    def acts(self) -> tuple[Planned, ...]:
        """The pipelines that change."""
        return tuple(one for one in self.pipelines if one.how is not How.UNCHANGED)

    @property
    def changes(self) -> list[Change]:
        """Everything that is not in step, topics first."""
        made = [one for one in self.topics if one.how in (How.NEW, How.CHANGED)]
        fresh = [Change(What.SCHEMA, subject, How.NEW) for subject in self.schemas]
        return [*made, *fresh, *(Change(What.PIPELINE, one.name, one.how, one.detail) for one in self.acts)]


async def draw(
    parts: Connections,
    catalogue: Pipelines,
    wanted: Iterable[Wanted],
    services: Iterable[tuple[str, int]] = (),
    *,
    prune: bool = False,
    trial: Trial | None = None,
) -> Plan:
    """The plan; starts `catalogue` where the installation has one already. `trial`: what changes is tried first."""
    pipelines = {one.topology.name: one for one in wanted}
    used = {(name, use.major) for one in pipelines.values() for name, use in one.topology.services.items()}
    specs = topic_specs.every(
        parts.names, parts.settings.partitions, services={*used, *services}, pipelines=sorted(pipelines)
    )
    existing = set(await parts.admin.names(parts.names.prefix))
    schemas = subjects.subjects(parts.names, [one.topology for one in pipelines.values()])
    fresh = asyncio.create_task(subjects.missing(parts.registry, schemas))
    runs: dict[str, int] | None = {}
    live = Services(parts)
    requests = sorted(name for name in existing if parts.names.is_requests(name))
    stamped = await parts.admin.unlike(requests, topic_specs.STAMPED_BY_BROKER)
    first = parts.topic(topics.PIPELINES) not in existing
    if not first:
        _, _, runs = await asyncio.gather(catalogue.start(), live.start(), versions.running(parts.settings))
    try:
        acts = [_planned(one, catalogue, trial) for one in pipelines.values()]
        if prune:
            acts += [
                Planned(name, How.REMOVED, version.digest[:12], version=withdrawn(version))
                for name, version in catalogue.active().items()
                if version.owner is Owner.GIT and name not in pipelines
            ]
        about = _About(catalogue, live, runs or {}, known=not first)
        return Plan(
            tuple(about.told(one) for one in sorted(acts, key=lambda one: one.name)),
            (
                *_topics(parts, specs, existing, [one.name for one in acts if one.how is How.REMOVED]),
                *(Change(What.TOPIC, name, How.CHANGED, _differing(has)) for name, has in stamped.items()),
            ),
            await fresh,
            specs,
            tuple(stamped),
            first,
            runs is not None,
        )
    finally:
        fresh.cancel()
        await live.stop()


def _topics(
    parts: Connections, specs: Iterable[TopicSpec], existing: set[str], removed: Iterable[str]
) -> Iterable[Change]:
    for spec in specs:
        if spec.name not in existing:
            yield Change(What.TOPIC, spec.name, How.NEW, f"{spec.partitions} partitions")
    for name in removed:
        for topic in (parts.names.requests(name), parts.names.results(name)):
            if topic in existing:
                yield Change(What.TOPIC, topic, How.UNUSED, "stays, for runs under way and those who read results")


def _differing(has: Mapping[str, str]) -> str:
    return ", ".join(f"{key} {one} → {topic_specs.STAMPED_BY_BROKER[key]}" for key, one in has.items())


def _planned(wanted: Wanted, catalogue: Pipelines, trial: Trial | None) -> Planned:
    topology, standing = wanted.topology, catalogue.version(wanted.topology.name)
    made = new_version(topology, wanted.source, Owner.GIT)
    if standing is None:
        return Planned(made.name, How.NEW, made.digest[:12], version=made, topology=topology)
    if (standing.digest, standing.source, standing.owner) == (made.digest, made.source, Owner.GIT):
        return Planned(made.name, How.UNCHANGED, made.digest[:12], topology=topology)
    if standing.digest == made.digest:
        how = How.CHANGED if standing.owner is Owner.GIT else How.TAKEN
        return Planned(made.name, how, "only its text", version=made, topology=topology)
    detail = f"{standing.digest[:12]} → {made.digest[:12]}"
    if trial is not None:
        if standing.same(versions.tried(standing, made.digest, trial)):
            return Planned(made.name, How.UNCHANGED, f"{trial} of {made.digest[:12]}", topology=topology)
        how = How.SHADOW if trial.shadow else How.CANARY
        return Planned(made.name, how, f"{detail}, {trial}", version=made, topology=topology)
    how = How.CHANGED if standing.owner is Owner.GIT else How.TAKEN
    return Planned(made.name, how, detail, version=made, topology=topology)


class _About:
    """Whom a change concerns."""

    def __init__(self, catalogue: Pipelines, live: Services, runs: Mapping[str, int], known: bool) -> None:
        self._catalogue, self._live, self._runs, self._known = catalogue, live, runs, known

    def told(self, one: Planned) -> Planned:
        """The same with its consumers and its runs."""
        digests = [version.digest for version in self._catalogue.known(one.name)]
        return Planned(
            one.name,
            one.how,
            one.detail,
            {digest: self._runs[digest] for digest in digests if digest in self._runs},
            tuple(self._consumer(name, use.major) for name, use in sorted(one.topology.services.items()))
            if one.topology
            else (),
            one.version,
            one.topology,
        )

    def _consumer(self, service: str, major: int) -> Consumer:
        return Consumer(service, len(self._live.workers(service, major)) if self._known else None)
