"""What there is to run: the live services, and the pipelines, of which every service is one."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

from gateway.api.problems import Kind, Problem
from gateway.catalogue.graph import is_automatic
from gateway.dependencies import Parts
from schemas.contracts import Contract, load_contracts
from schemas.encoding.json_schema import json_schema
from schemas.nearest import nearest
from streams.compile import automatic, compile_spec
from streams.language.topology import Topology
from streams.runtime.catalogue.version import Conflict, Owner, Version
from streams.runtime.catalogue.writer import CatalogueWriter

_PATIENCE = 5.0
"""Seconds to wait for another process that makes the same pipeline."""
_MOMENT = 0.3
"""Seconds in which what another gateway has just answered for is heard of here."""


def contracts(parts: Parts) -> dict[str, Contract]:
    """Every service that pipelines may use: those of this installation's files, and over them the live ones."""
    return {**load_contracts(), **parts.services.contracts()}


def service(parts: Parts, name: str) -> Contract:
    """The contract of a live service. Raises Problem (404)."""
    live = parts.services.contracts()
    if name not in live:
        raise _absent("service", name, live, " serves now: its workers may be stopped")
    return live[name]


async def pipeline(parts: Parts, name: str) -> tuple[Version, Topology]:
    """The active version of a pipeline. Raises Problem (404)."""
    if parts.pipelines.version(name) is None:
        await parts.pipelines.wait(lambda: parts.pipelines.version(name) is not None, _MOMENT)
    version = parts.pipelines.version(name)
    topology = parts.pipelines.topology(version.digest) if version else None
    if version is None or topology is None:
        raise _absent("pipeline", name, parts.pipelines.active(), " exists")
    return version, topology


def assigned(parts: Parts, topology: Topology, run: str) -> Topology:
    """The topology that a run takes: the active one, or the one that is tried, as flow will say too."""
    version = parts.pipelines.version(topology.name)
    digest = version.rollout.digest(run) if version else topology.digest
    return parts.pipelines.topology(digest) or topology


def pipelines(parts: Parts) -> Iterator[tuple[Version, Topology]]:
    """The active version of every pipeline, by name."""
    for version in parts.pipelines.active().values():
        topology = parts.pipelines.topology(version.digest)
        if topology is not None:
            yield version, topology


async def service_pipeline(parts: Parts, name: str) -> Topology:
    """The pipeline of one node that a service has; made now when nobody has made it. Raises Problem (404).

    A service whose workers are stopped still has its pipeline: a run of it waits.
    """
    found = parts.pipelines.version(name)
    topology = parts.pipelines.topology(found.digest) if found else None
    if topology is not None and is_automatic(topology):
        return topology
    contract = service(parts, name)
    spec = automatic(contract)
    made = compile_spec(spec, {name: contract})
    try:
        writer = CatalogueWriter(parts.connections, parts.pipelines)
        await within(_PATIENCE, writer.publish(made, spec.source.text, Owner.GIT, ""))
    except Conflict:  # somebody else was faster
        await parts.pipelines.wait(lambda: parts.pipelines.version(name) is not None, _PATIENCE)
        return (await pipeline(parts, name))[1]
    return made


def describe_service(parts: Parts, contract: Contract) -> dict[str, Any]:
    """What the catalogue says of a service."""
    workers = parts.services.workers(contract.name)
    newest = max(workers, key=lambda one: one.at, default=None)
    return {
        "name": contract.name,
        "version": contract.version,
        "summary": contract.summary,
        "description": contract.description,
        "deterministic": contract.deterministic,
        "timeout": contract.timeout,
        "input": json_schema(contract.input),
        "output": json_schema(contract.output, output=True),
        "example": contract.example,
        "label": contract.label or None,
        "keeps": contract.keeps or None,
        "dataset": contract.dataset or None,
        "trains": contract.trains or None,
        "model": newest.model if newest else None,
        "model_version": newest.model_version if newest else None,
        "problem": next((one.problem for one in workers if one.problem), None),
        "workers": [
            {
                "worker": one.worker,
                "version": one.contract.version,
                "running": one.running,
                "capacity": one.capacity,
                "memory": one.memory,
                "model": one.model,
                "model_version": one.model_version,
                "problem": one.problem,
                "able": one.able,
                "waiting_for": list(one.waiting_for),
            }
            for one in workers
        ],
        "links": {"self": f"/services/{contract.name}", "runs": f"/services/{contract.name}/runs"},
    }


async def within(seconds: float, work: Any) -> Any:
    """The result of work that waits for parts that are away. Raises Problem (503) when it takes too long."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        raise Problem(
            Kind.AWAY, f"It was not done within {seconds:g} s: Kafka or the registry does not answer.",
            headers={"Retry-After": "5"},
        ) from None  # fmt: skip


def _absent(kind: str, name: str, names: Iterable[str], why: str) -> Problem:
    near = nearest(name, names)
    hint = f"; did you mean {near}?" if near else f"; GET /{kind}s lists them."
    return Problem(Kind.NOT_FOUND, f"No {kind} {name:.80}{why}{hint}")
