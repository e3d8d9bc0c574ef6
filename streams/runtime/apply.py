"""Bringing an installation in step with its pipelines: topics, schemas and the catalogue; what is in step already stays."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException

from streams import topic_specs, topics
from streams.runtime import subjects
from streams.runtime.errors import Away, RuntimeFault
from streams.runtime.parts import Parts
from streams.runtime.pipelines import Owner, Pipelines, Version
from streams.settings import Settings
from streams.topology import Topology


class Breaking(RuntimeFault):
    """A pipeline's new input or output does not fit what others already send or read; `problems` holds every reason."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class What(StrEnum):
    """What kind of thing changes."""

    TOPIC = "topic"
    SCHEMA = "schema"
    PIPELINE = "pipeline"


class How(StrEnum):
    """What happens to it."""

    NEW = "new"
    CHANGED = "changed"
    TAKEN = "taken over"  # it was put over HTTP, and files own it from now on
    REMOVED = "removed"


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


@asynccontextmanager
async def connected(settings: Settings, source: str = "millrace") -> AsyncIterator[Parts]:
    """The parts of these settings, connected. Raises Away for a Kafka that does not answer, then or later."""
    try:
        async with Parts.of(settings, source) as parts:
            yield parts
    except (KafkaError, KafkaException) as error:
        raise Away(f"Kafka at {settings.kafka} does not answer: {error}") from error


async def apply(
    parts: Parts,
    wanted: Iterable[Wanted],
    services: Iterable[tuple[str, int]] = (),
    *,
    dry: bool = False,
    prune: bool = False,
    breaking: bool = False,
) -> list[Change]:
    """Makes topics, registers schemas, publishes pipelines; what was changed, or with `dry` what would be.

    `services` are (name, major) of services whose topics are needed although no pipeline may use them. `prune` removes
    pipelines that files own and that are not wanted any more. Raises Breaking, unless `breaking`, before anything is
    published; Conflict when somebody else publishes meanwhile; Away.
    """
    pipelines = {one.topology.name: one for one in wanted}
    schemas = subjects.subjects(parts.names, [one.topology for one in pipelines.values()])
    changes = await _topics(parts, pipelines.values(), services, dry)
    if dry and any(one.name == parts.topic(topics.PIPELINES) for one in changes):
        return [
            *changes,
            *(Change(What.SCHEMA, name, How.NEW) for name in schemas),
            *(Change(What.PIPELINE, name, How.NEW, one.topology.digest[:12]) for name, one in pipelines.items()),
        ]
    catalogue = Pipelines(parts)
    try:
        # What nobody knows yet breaks nobody: it is registered while the catalogue is read.
        fresh, _ = await asyncio.gather(_schemas(parts, schemas, dry), catalogue.start())
        changes += fresh
        standing = catalogue.active()
        plan = [change for one in pipelines.values() if (change := _planned(one, standing.get(one.topology.name)))]
        if not breaking:
            await _check(parts, [pipelines[one.name].topology for one in plan if one.how is not How.NEW])
        if prune:
            plan += [
                Change(What.PIPELINE, name, How.REMOVED, version.digest[:12])
                for name, version in standing.items()
                if version.owner is Owner.GIT and name not in pipelines
            ]
        if not dry:
            changed = [pipelines[one.name].topology for one in plan if one.name in pipelines]
            await subjects.register(parts.registry, subjects.subjects(parts.names, changed))
            await asyncio.gather(*(_publish(catalogue, pipelines.get(one.name), one) for one in plan))
        return changes + plan
    finally:
        await catalogue.stop()


async def _topics(
    parts: Parts, pipelines: Iterable[Wanted], services: Iterable[tuple[str, int]], dry: bool
) -> list[Change]:
    used = {(name, use.major) for one in pipelines for name, use in one.topology.services.items()}
    specs = topic_specs.every(
        parts.names,
        parts.settings.partitions,
        services={*used, *services},
        pipelines=[one.topology.name for one in pipelines],
    )
    if dry:
        existing = set(await parts.admin.names(parts.names.prefix))
        return [Change(What.TOPIC, spec.name, How.NEW) for spec in specs if spec.name not in existing]
    made, _ = await asyncio.gather(parts.admin.ensure(specs, parts.settings.replication), parts.store.ensure_bucket())
    return [Change(What.TOPIC, name, How.NEW) for name in made]


def _planned(wanted: Wanted, standing: Version | None) -> Change | None:
    topology = wanted.topology
    if standing is None:
        return Change(What.PIPELINE, topology.name, How.NEW, topology.digest[:12])
    if (standing.digest, standing.source, standing.owner) == (topology.digest, wanted.source, Owner.GIT):
        return None
    how = How.CHANGED if standing.owner is Owner.GIT else How.TAKEN
    same = standing.digest == topology.digest
    detail = "only its text" if same else f"{standing.digest[:12]} → {topology.digest[:12]}"
    return Change(What.PIPELINE, topology.name, how, detail)


async def _publish(catalogue: Pipelines, wanted: Wanted | None, change: Change) -> None:
    if wanted is None:
        await catalogue.remove(change.name)
    else:
        await catalogue.publish(wanted.topology, wanted.source, Owner.GIT)


async def _check(parts: Parts, changed: Iterable[Topology]) -> None:
    found = [why for one in changed for why in await subjects.breaks(parts.registry, parts.names, one)]
    if found:
        raise Breaking(found)


async def _schemas(parts: Parts, wanted: Mapping[str, Any], dry: bool) -> list[Change]:
    fresh = await subjects.missing(parts.registry, wanted)
    if not dry:
        await subjects.register(parts.registry, fresh)
    return [Change(What.SCHEMA, subject, How.NEW) for subject in fresh]
