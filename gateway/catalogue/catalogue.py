"""What can be run: the live services, and the pipelines, of which every service is one."""

import asyncio
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from gateway.api.problems import Kind, Problem
from gateway.catalogue.graph import is_automatic
from schemas.contracts import Contract, load_contracts
from schemas.encoding.json_schema import json_schema
from schemas.nearest import nearest
from streams.compile import automatic, compile_spec
from streams.language.topology import Topology
from streams.runtime.catalogue.announcements import Announcement
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.catalogue.services import Services
from streams.runtime.catalogue.version import Conflict, Owner, Version
from streams.runtime.catalogue.writer import CatalogueWriter

T = TypeVar("T")

_PUBLISH_TIMEOUT = 5.0
"""Seconds to wait for the pipeline of a service, also where another process is publishing it."""
_SETTLE_TIME = 0.3
"""Seconds in which a change that another gateway has just confirmed arrives here."""


class Catalogue:
    """Looks up services and pipelines as this gateway knows them now."""

    def __init__(self, services: Services, pipelines: Pipelines, writer: CatalogueWriter) -> None:
        self._services = services
        self._pipelines = pipelines
        self._writer = writer

    def live_contracts(self) -> dict[str, Contract]:
        """Return the contract of every service that has a live worker, by name."""
        return self._services.contracts()

    def contracts(self) -> dict[str, Contract]:
        """Return every contract that pipelines may use: those shipped with this installation, overridden by the live ones."""
        return {**load_contracts(), **self.live_contracts()}

    def workers(self, name: str) -> Sequence[Announcement]:
        """Return the live workers of a service."""
        return self._services.workers(name)

    def service(self, name: str) -> Contract:
        """Return the contract of a live service. Raises Problem (404)."""
        live = self.live_contracts()
        if name not in live:
            raise _absent("service", name, live, " serves now: its workers may be stopped")
        return live[name]

    def trainer(self, slot: str) -> str | None:
        """Return the live service that trains the model of this slot; None when there is none."""
        return next((each.name for each in self.live_contracts().values() if each.trains == slot), None)

    def describe(self, contract: Contract) -> dict[str, Any]:
        """Return the catalogue's description of a service."""
        return describe_service(contract, self.workers(contract.name))

    async def pipeline(self, name: str) -> tuple[Version, Topology]:
        """Return the active version of a pipeline. Raises Problem (404)."""
        if self._pipelines.version(name) is None:
            await self._pipelines.wait(lambda: self._pipelines.version(name) is not None, _SETTLE_TIME)
        version = self._pipelines.version(name)
        topology = self._pipelines.topology(version.digest) if version else None
        if version is None or topology is None:
            raise _absent("pipeline", name, self._pipelines.active(), " exists")
        return version, topology

    def active(self) -> Iterator[tuple[Version, Topology]]:
        """Yield the active version of every pipeline, by name."""
        for version in self._pipelines.active().values():
            topology = self._pipelines.topology(version.digest)
            if topology is not None:
                yield version, topology

    def assigned(self, topology: Topology, run: str) -> Topology:
        """Return the topology that a run takes: the active one or the one on trial. Flow assigns the same one."""
        version = self._pipelines.version(topology.name)
        digest = version.rollout.digest(run) if version else topology.digest
        return self._pipelines.topology(digest) or topology

    async def runnable(self, name: str) -> Topology:
        """Return the topology of a pipeline, or of the live service of this name. Raises Problem (404)."""
        if self._pipelines.version(name) is None and name in self.live_contracts():
            return await self.service_pipeline(name)
        return (await self.pipeline(name))[1]

    async def service_pipeline(self, name: str) -> Topology:
        """Return the one-node pipeline of a service, publishing it when nobody has yet. Raises Problem (404).

        A service whose workers are stopped keeps its pipeline: a run of it waits.
        """
        version = self._pipelines.version(name)
        topology = self._pipelines.topology(version.digest) if version else None
        if topology is not None and is_automatic(topology):
            return topology
        contract = self.service(name)
        spec = automatic(contract)
        topology = compile_spec(spec, {name: contract})
        try:
            await within(_PUBLISH_TIMEOUT, self._writer.publish(topology, spec.source.text, Owner.GIT, ""))
        except Conflict:  # another process was faster
            await self._pipelines.wait(lambda: self._pipelines.version(name) is not None, _PUBLISH_TIMEOUT)
            return (await self.pipeline(name))[1]
        return topology


def describe_service(contract: Contract, workers: Sequence[Announcement]) -> dict[str, Any]:
    """Return the catalogue's description of a service and its live workers."""
    newest = max(workers, key=lambda worker: worker.at, default=None)
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
        "problem": next((worker.problem for worker in workers if worker.problem), None),
        "workers": [_describe_worker(worker) for worker in workers],
        "links": {"self": f"/services/{contract.name}", "runs": f"/services/{contract.name}/runs"},
    }


def _describe_worker(worker: Announcement) -> dict[str, Any]:
    return {
        "worker": worker.worker,
        "version": worker.contract.version,
        "running": worker.running,
        "capacity": worker.capacity,
        "memory": worker.memory,
        "model": worker.model,
        "model_version": worker.model_version,
        "problem": worker.problem,
        "able": worker.able,
        "waiting_for": list(worker.waiting_for),
    }


async def within(seconds: float, work: Awaitable[T]) -> T:
    """Return the result of work that waits for Kafka or the registry. Raises Problem (503) when it takes too long."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        raise Problem(
            Kind.UNAVAILABLE, f"It was not done within {seconds:g} s: Kafka or the registry does not answer.",
            headers={"Retry-After": "5"},
        ) from None  # fmt: skip


def _absent(kind: str, name: str, names: Iterable[str], why: str) -> Problem:
    near = nearest(name, names)
    hint = f"; did you mean {near}?" if near else f"; GET /{kind}s lists them."
    return Problem(Kind.NOT_FOUND, f"No {kind} {name:.80}{why}{hint}")
