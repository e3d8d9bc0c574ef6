"""Changing pipelines: compiled against the live services, compatible with current callers, never over an unseen change."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from starlette.datastructures import Headers

from gateway.api.problems import Fault, Kind, Problem
from gateway.catalogue.catalogue import Catalogue, within
from gateway.catalogue.isolated_compile import IsolatedCompiler
from schemas.encoding.codec import value_subject
from schemas.errors import Incompatible
from schemas.results import result_schema
from schemas.validation import compat
from streams.flow.rollout import Trial
from streams.language.topology import Topology
from streams.runtime.catalogue import limits, versions
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.catalogue.version import Conflict, Owner, Version, new_version
from streams.runtime.catalogue.writer import CatalogueWriter
from streams.runtime.connections.connections import Connections

T = TypeVar("T")

_PUBLISH_TIMEOUT = 30.0
"""Seconds for creating a pipeline's topics and publishing it."""
_ATTEMPTS = 5


@dataclass(frozen=True)
class Condition:
    """The version that a writer means to change: one of these etags; or, if `new`, that there is none yet."""

    etags: tuple[str, ...] = ()
    new: bool = False

    @classmethod
    def of(cls, headers: Headers) -> "Condition":
        """Read the condition of a request from If-Match and If-None-Match."""
        tags = tuple(tag.strip().removeprefix("W/").strip('"') for tag in headers.get("if-match", "").split(","))
        return cls(tuple(tag for tag in tags if tag), headers.get("if-none-match", "").strip() == "*")

    def check(self, current: Version | None) -> None:
        """Raise Problem (412) when the current version is not the one that is meant."""
        if self.etags and (current is None or not {"*", current.etag} & set(self.etags)):
            stands = f'at "{current.etag}"' if current else "not there"
            raise Problem(Kind.STALE, f"The pipeline is {stands} now; read it again.")
        if self.new and current is not None:
            raise Problem(Kind.STALE, f'The pipeline exists already, at "{current.etag}".')

    def stale(self, conflict: Conflict) -> Problem:
        """Return the problem of a change that came too late."""
        return Problem(Kind.STALE if self.etags or self.new else Kind.CONFLICT, f"{conflict}.")


class Definitions:
    """Creates, changes and removes pipelines."""

    def __init__(
        self, catalogue: Catalogue, pipelines: Pipelines, connections: Connections, compiler: IsolatedCompiler
    ) -> None:
        self._catalogue = catalogue
        self._pipelines = pipelines
        self._connections = connections
        self._writer = CatalogueWriter(connections, pipelines)
        self._compiler = compiler

    async def define(
        self, name: str, text: str, condition: Condition, trial: Trial | None = None
    ) -> tuple[Version, Topology, bool]:
        """Create or change a pipeline, or put a change on trial. Returns the version, its topology, and whether it is new.

        Raises Problem: 409, 412, 422, 503.
        """
        self._writable(name)
        topology = await self._compile(name, text)

        async def attempt() -> tuple[Version, Topology, bool]:
            # Read again at each attempt, so that a pipeline that somebody else now owns is not overwritten.
            current = self._writable(name)
            condition.check(current)
            version = await within(_PUBLISH_TIMEOUT, self._publish(topology, text, current, trial))
            return version, topology, current is None

        return await _retried(attempt, condition)

    async def remove(self, name: str, condition: Condition) -> None:
        """Take a pipeline out of use. Raises Problem: 404, 409, 412, 503."""

        async def attempt() -> None:
            await self._catalogue.pipeline(name)
            current = self._writable(name)
            condition.check(current)
            try:
                await within(_PUBLISH_TIMEOUT, self._writer.remove(name, current.etag if current else ""))
            except KeyError:
                return  # somebody else was faster: it is removed

        await _retried(attempt, condition)

    async def roll_back(self, name: str, digest: str, condition: Condition) -> Version:
        """End a trial, or make an earlier version active; also of pipelines kept in git, since git published that version.

        Raises Problem: 404, 409, 412, 503.
        """
        current = self._pipelines.version(name)
        condition.check(current)
        expected = current.etag if current and condition.etags else None
        try:
            return await within(
                _PUBLISH_TIMEOUT, versions.roll_back(self._connections, self._pipelines, name, digest, expected)
            )
        except versions.NoVersion as error:
            raise Problem(Kind.NOT_FOUND, f"{error}.") from None
        except Conflict as error:
            raise condition.stale(error) from None

    def _writable(self, name: str) -> Version | None:
        """Return the active version, if there is one. Raises Problem (409) when it may not be changed over HTTP."""
        current = self._pipelines.version(name)
        if current is not None and current.owner is Owner.GIT:
            raise Problem(Kind.READ_ONLY, f"{name} is kept in git: change its file there, or use another name.")
        if current is None:
            check_capacity(self._pipelines, self._connections.settings.pipeline_names, name)
        if current is None and name in self._catalogue.contracts():
            raise Problem(
                Kind.READ_ONLY, f"{name} is a service, and every service is a pipeline of its own: use another name."
            )
        return current

    async def _compile(self, name: str, text: str) -> Topology:
        """Return the topology of a definition. Raises Problem (422) with every problem, 503."""
        library = {version.name: version.source for version in self._pipelines.active().values()}
        topology = await self._compiler.compiled(text, self._catalogue.contracts(), library, f"{name}.yaml")
        if topology.name != name:
            mismatch = f"the definition is of {topology.name!r}, the address of {name!r}"
            raise Problem(
                Kind.INVALID_PIPELINE,
                "The name does not fit the address.",
                [Fault("pipeline", mismatch, "make them the same")],
            )
        try:
            limits.check(topology, self._connections.settings)
        except limits.OverLimit as error:
            faults = [Fault("limit", error.problem, error.hint)]
            raise Problem(Kind.INVALID_PIPELINE, "It asks for more than this installation allows.", faults) from None
        return topology

    async def _publish(self, topology: Topology, text: str, current: Version | None, trial: Trial | None) -> Version:
        """Register the schemas and publish. Raises Problem (422), Conflict, RegistryUnavailable."""
        requests = value_subject(self._connections.names.requests(topology.name))
        results = value_subject(self._connections.names.results(topology.name))
        output = result_schema(topology.name, topology.output)
        if current is not None:
            await self._check_compatible((requests, topology.input), (results, output))
        try:
            await self._connections.registry.register(requests, topology.input)
            await self._connections.registry.register(results, output)
        except Incompatible as error:
            faults = [Fault(error.subject, reason, "use another name") for reason in error.problems]
            raise Problem(Kind.INVALID_PIPELINE, "The registry does not take its records.", faults) from None
        if trial is not None and current is not None and current.digest != topology.digest:
            candidate = new_version(topology, text, Owner.HTTP)
            return await versions.try_out(self._connections, self._pipelines, candidate, trial, current.etag)
        return await self._writer.publish(topology, text, Owner.HTTP, current.etag if current else "")

    async def _check_compatible(self, requests: tuple[str, object], results: tuple[str, object]) -> None:
        """Raise Problem (422) when the new version could not read waiting requests, or readers could not read its results.

        `requests` and `results`: the subject and the new schema of each.
        """
        faults: list[Fault] = []
        asked = await self._connections.registry.latest(requests[0])
        if asked is not None:
            hint = "give new inputs a default, and keep the old ones"
            reasons = compat.problems(reader=requests[1], writer=asked)
            faults += [Fault("input", f"what callers send now would not be taken: {why}", hint) for why in reasons]
        answered = await self._connections.registry.latest(results[0])
        if answered is not None:
            hint = "keep every output, and its type"
            reasons = compat.problems(reader=answered, writer=results[1])
            faults += [
                Fault("output", f"who reads the results now could not read them: {why}", hint) for why in reasons
            ]
        if faults:
            detail = "It does not fit what others send and read now; use another name for it."
            raise Problem(Kind.INVALID_PIPELINE, detail, faults)


class PipelineNames(Protocol):
    """The part of the catalogue of pipelines that says which names are taken."""

    def names(self) -> frozenset[str]:
        """Return every name that was ever used."""

    def active(self) -> dict[str, Version]:
        """Return the active version of every pipeline, by name."""


def check_capacity(pipelines: PipelineNames, most: int, name: str) -> None:
    """Raise Problem (409) for a new name when `most` names are in use: each keeps its topics, even after a removal."""
    names = pipelines.names()
    if name in names or len(names) < most:
        return
    removed = sorted(names - pipelines.active().keys())
    again = f", or one of a removed pipeline ({', '.join(removed[:10])})" if removed else ""
    hint = f"Use the name of a pipeline that is there{again}, or have the operator raise MILLRACE_PIPELINE_NAMES."
    raise Problem(Kind.FULL, f"There are {len(names)} names of pipelines, which is as many as may be here. {hint}")


async def _retried(attempt: Callable[[], Coroutine[Any, Any, T]], condition: Condition) -> T:
    """Return what an attempt gives that no other writer interrupts. Raises Problem: 409, 412, and what attempts raise."""
    conflict: Conflict | None = None
    for _ in range(_ATTEMPTS):
        try:
            return await attempt()
        except Conflict as error:
            conflict = error
    assert conflict is not None
    raise condition.stale(conflict)
