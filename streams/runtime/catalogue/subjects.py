"""The schemas of an installation in the registry: which there are, which are missing, and what a new one would break."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from schemas.encoding.codec import value_subject
from schemas.library import load
from schemas.registry.client import SchemaRegistry
from schemas.results import result_schema
from schemas.validation import compat
from streams.language.topology import Topology
from streams.wire import topics
from streams.wire.topics import Topics

_AT_ONCE = 8
"""Calls to the registry under way at a time."""

CORE: Mapping[str, str] = {
    topics.EVENTS: "Event",
    topics.TOKENS: "FlowMessage",
    topics.STATE: "FlowRow",
    topics.CONTROL: "Control",
    topics.SERVICES: "Announcement",
    topics.WORKERS: "WorkerState",
    topics.PIPELINES: "PipelineRecord",
    topics.DEAD_LETTERS: "DeadLetter",
    topics.MODELS: "ModelUpdate",
}
"""The record of `schemas/avro` that each shared topic carries."""


def subjects(names: Topics, pipelines: Iterable[Topology]) -> dict[str, Any]:
    """The schema of every subject."""
    found: dict[str, Any] = {value_subject(names.named(topic)): load(record) for topic, record in CORE.items()}
    for topology in pipelines:
        found[value_subject(names.requests(topology.name))] = topology.input
        found[value_subject(names.results(topology.name))] = result_schema(topology.name, topology.output)
        for service, use in topology.services.items():
            found[value_subject(names.tasks(service, use.major))] = use.input
    return found


async def breaks(registry: SchemaRegistry, names: Topics, topology: Topology) -> list[str]:
    """Every reason why old requests cannot be read by a new version, or its results by who reads the old ones. Raises RegistryAway."""
    name, found = topology.name, []
    asked = await registry.latest(value_subject(names.requests(name)))
    if asked is not None:
        reasons = compat.problems(reader=topology.input, writer=asked)
        found += [f"pipeline {name}: the new input does not take what callers send now: {why}" for why in reasons]
    answered = await registry.latest(value_subject(names.results(name)))
    if answered is not None:
        reasons = compat.problems(reader=answered, writer=result_schema(name, topology.output))
        found += [f"pipeline {name}: who reads its results now cannot read the new ones: {why}" for why in reasons]
    return found


async def missing(registry: SchemaRegistry, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Those schemas that the registry does not have now under their subjects. Raises RegistryAway.

    A subject that is there may lack the schema, and one that a process of ours remembers may have been deleted since.
    """
    room = asyncio.Semaphore(_AT_ONCE)

    async def there(subject: str, schema: Any) -> bool:
        async with room:
            return await registry.has(subject, schema)

    found = await asyncio.gather(*(there(*one) for one in wanted.items()))
    return {subject: wanted[subject] for subject, has in zip(wanted, found, strict=True) if not has}


async def register(registry: SchemaRegistry, wanted: Mapping[str, Any]) -> None:
    """Registers schemas, newer ones of subjects that there are included. Raises Incompatible, RegistryAway."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(subject: str, schema: Any) -> None:
        async with room:
            await registry.register(subject, schema)

    await asyncio.gather(*(one(subject, schema) for subject, schema in wanted.items()))
