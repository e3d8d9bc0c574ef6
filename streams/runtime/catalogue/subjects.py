"""The schemas of an installation in the registry: which it needs, which are missing, and what a new one would break."""

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
"""Calls to the registry at once, at most."""

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
    """List the schema of every subject that these pipelines need."""
    schemas: dict[str, Any] = {value_subject(names.named(topic)): load(record) for topic, record in CORE.items()}
    for topology in pipelines:
        schemas[value_subject(names.requests(topology.name))] = topology.input
        schemas[value_subject(names.results(topology.name))] = result_schema(topology.name, topology.output)
        for service, use in topology.services.items():
            schemas[value_subject(names.tasks(service, use.major))] = use.input
    return schemas


async def breaks(registry: SchemaRegistry, names: Topics, topology: Topology) -> list[str]:
    """Say why a new version cannot read old requests, or readers of old results cannot read new ones. Raises RegistryUnavailable."""
    name, problems = topology.name, []
    requests = await registry.latest(value_subject(names.requests(name)))
    if requests is not None:
        reasons = compat.problems(reader=topology.input, writer=requests)
        problems += [f"pipeline {name}: the new input does not take what callers send now: {why}" for why in reasons]
    results = await registry.latest(value_subject(names.results(name)))
    if results is not None:
        reasons = compat.problems(reader=results, writer=result_schema(name, topology.output))
        problems += [f"pipeline {name}: who reads its results now cannot read the new ones: {why}" for why in reasons]
    return problems


async def missing(registry: SchemaRegistry, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Select the schemas that the registry does not have now under their subjects. Raises RegistryUnavailable.

    A subject that exists may lack the schema, and a subject that this process remembers may have been deleted since.
    """
    slots = asyncio.Semaphore(_AT_ONCE)

    async def registered(subject: str, schema: Any) -> bool:
        async with slots:
            return await registry.has(subject, schema)

    present = await asyncio.gather(*(registered(subject, schema) for subject, schema in wanted.items()))
    return {subject: wanted[subject] for subject, has in zip(wanted, present, strict=True) if not has}


async def register(registry: SchemaRegistry, wanted: Mapping[str, Any]) -> None:
    """Register schemas, also newer ones of existing subjects. Raises Incompatible, RegistryUnavailable."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def register_schema(subject: str, schema: Any) -> None:
        async with slots:
            await registry.register(subject, schema)

    await asyncio.gather(*(register_schema(subject, schema) for subject, schema in wanted.items()))
