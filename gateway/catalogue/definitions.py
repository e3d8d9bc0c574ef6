"""Changing pipelines: compiled against what is live, held against what others send and read, and never over an unseen change."""

from dataclasses import dataclass

from starlette.datastructures import Headers

from gateway.api.problems import Fault, Kind, Problem
from gateway.catalogue import catalogue
from gateway.dependencies import Parts
from schemas.encoding.codec import value_subject
from schemas.errors import Incompatible
from schemas.results import result_schema
from schemas.validation import compat
from streams.flow.rollout import Trial
from streams.language.topology import Topology
from streams.runtime.catalogue import limits, versions
from streams.runtime.catalogue.version import Conflict, Owner, Version, new_version
from streams.runtime.catalogue.writer import CatalogueWriter

_PATIENCE = 30.0
"""Seconds that making a pipeline's topics and publishing it may take."""
_TRIES = 5


@dataclass(frozen=True)
class Condition:
    """What a writer says of the version that it means to change: its etags, or that there is to be none."""

    etags: tuple[str, ...] = ()
    new: bool = False

    @classmethod
    def of(cls, headers: Headers) -> "Condition":
        """The condition of a request."""
        tags = tuple(one.strip().removeprefix("W/").strip('"') for one in headers.get("if-match", "").split(","))
        return cls(tuple(one for one in tags if one), headers.get("if-none-match", "").strip() == "*")

    def check(self, current: Version | None) -> None:
        """Raises Problem (412) when the version that stands is not the one that is meant."""
        if self.etags and (current is None or not {"*", current.etag} & set(self.etags)):
            stands = f'at "{current.etag}"' if current else "not there"
            raise Problem(Kind.STALE, f"The pipeline is {stands} now; read it again.")
        if self.new and current is not None:
            raise Problem(Kind.STALE, f'The pipeline exists already, at "{current.etag}".')

    def stale(self, conflict: Conflict) -> Problem:
        """The problem of a change that came too late."""
        return Problem(Kind.STALE if self.etags or self.new else Kind.CONFLICT, f"{conflict}.")


async def define(
    parts: Parts, name: str, text: str, condition: Condition, trial: Trial | None = None
) -> tuple[Version, Topology, bool]:
    """Makes or changes a pipeline, or tries a change out; whether it was made. Raises Problem: 409, 412, 422, 503."""
    writable(parts, name)
    topology = await compiled(parts, name, text)
    conflict: Conflict | None = None
    for _ in range(_TRIES):
        # Looked at anew each time: what became somebody else's meanwhile is not written over.
        current = writable(parts, name)
        condition.check(current)
        try:
            version = await catalogue.within(_PATIENCE, _publish(parts, topology, text, current, trial))
        except Conflict as error:
            conflict = error
        else:
            return version, topology, current is None
    assert conflict is not None
    raise condition.stale(conflict)


async def remove(parts: Parts, name: str, condition: Condition) -> None:
    """Takes a pipeline out of use. Raises Problem: 404, 409, 412, 503."""
    conflict: Conflict | None = None
    for _ in range(_TRIES):
        await catalogue.pipeline(parts, name)
        current = writable(parts, name)
        condition.check(current)
        try:
            await catalogue.within(
                _PATIENCE,
                CatalogueWriter(parts.connections, parts.pipelines).remove(name, current.etag if current else ""),
            )
        except Conflict as error:
            conflict = error
        except KeyError:
            return  # somebody else was faster, and it is gone
        else:
            return
    assert conflict is not None
    raise condition.stale(conflict)


def writable(parts: Parts, name: str) -> Version | None:
    """The active version, if there is one. Raises Problem (409) when it may not be changed over HTTP."""
    current = parts.pipelines.version(name)
    if current is not None and current.owner is Owner.GIT:
        raise Problem(Kind.READ_ONLY, f"{name} is kept in git: change its file there, or use another name.")
    if current is None:
        _room(parts, name)
    if current is None and name in catalogue.contracts(parts):
        raise Problem(
            Kind.READ_ONLY, f"{name} is a service, and every service is a pipeline of its own: use another name."
        )
    return current


def _room(parts: Parts, name: str) -> None:
    """Raises Problem (409) for a new name where there are as many as there may be: each keeps its topics."""
    names, most = parts.pipelines.names(), parts.settings.pipeline_names
    if name in names or len(names) < most:
        return
    removed = sorted(names - parts.pipelines.active().keys())
    again = f", or one of a removed pipeline ({', '.join(removed[:10])})" if removed else ""
    hint = f"Use the name of a pipeline that is there{again}, or have the operator raise MILLRACE_PIPELINE_NAMES."
    raise Problem(Kind.FULL, f"There are {len(names)} names of pipelines, which is as many as may be here. {hint}")


async def compiled(parts: Parts, name: str, text: str) -> Topology:
    """The topology of a definition. Raises Problem (422) with every problem."""
    known = catalogue.contracts(parts)
    library = {one.name: one.source for one in parts.pipelines.active().values()}
    topology = await parts.compiling.compiled(text, known, library, f"{name}.yaml")
    if topology.name != name:
        what = f"the definition is of {topology.name!r}, the address of {name!r}"
        raise Problem(
            Kind.INVALID_PIPELINE, "The name does not fit the address.", [Fault("pipeline", what, "make them the same")]
        )
    try:
        limits.check(topology, parts.settings)
    except limits.OverLimit as error:
        faults = [Fault("limit", error.problem, error.hint)]
        raise Problem(Kind.INVALID_PIPELINE, "It asks for more than this installation allows.", faults) from None
    return topology


async def roll_back(parts: Parts, name: str, digest: str, condition: Condition) -> Version:
    """Ends a trial, or makes an earlier version active; git's pipelines too, since nothing is said that git did not say.

    Raises Problem: 404, 409, 412, 503.
    """
    current = parts.pipelines.version(name)
    condition.check(current)
    try:
        expected = current.etag if current and condition.etags else None
        version: Version = await catalogue.within(
            _PATIENCE, versions.roll_back(parts.connections, parts.pipelines, name, digest, expected)
        )
    except versions.NoVersion as error:
        raise Problem(Kind.NOT_FOUND, f"{error}.") from None
    except Conflict as error:
        raise condition.stale(error) from None
    return version


async def _publish(
    parts: Parts, topology: Topology, text: str, current: Version | None, trial: Trial | None
) -> Version:
    requests = value_subject(parts.connections.names.requests(topology.name))
    results = value_subject(parts.connections.names.results(topology.name))
    output = result_schema(topology.name, topology.output)
    if current is not None:
        await _compatible(parts, (requests, topology.input), (results, output))
    try:
        await parts.connections.registry.register(requests, topology.input)
        await parts.connections.registry.register(results, output)
    except Incompatible as error:
        faults = [Fault(error.subject, one, "use another name") for one in error.problems]
        raise Problem(Kind.INVALID_PIPELINE, "The registry does not take its records.", faults) from None
    if trial is not None and current is not None and current.digest != topology.digest:
        made = new_version(topology, text, Owner.HTTP)
        return await versions.try_out(parts.connections, parts.pipelines, made, trial, current.etag)
    writer = CatalogueWriter(parts.connections, parts.pipelines)
    return await writer.publish(topology, text, Owner.HTTP, current.etag if current else "")


async def _compatible(parts: Parts, requests: tuple[str, object], results: tuple[str, object]) -> None:
    """Raises Problem (422) when waiting requests, or who reads the results, could not go on with a new version."""
    faults: list[Fault] = []
    asked = await parts.connections.registry.latest(requests[0])
    if asked is not None:
        hint = "give new inputs a default, and keep the old ones"
        reasons = compat.problems(reader=requests[1], writer=asked)
        faults += [Fault("input", f"what callers send now would not be taken: {why}", hint) for why in reasons]
    answered = await parts.connections.registry.latest(results[0])
    if answered is not None:
        hint = "keep every output, and its type"
        reasons = compat.problems(reader=answered, writer=results[1])
        faults += [Fault("output", f"who reads the results now could not read them: {why}", hint) for why in reasons]
    if faults:
        raise Problem(
            Kind.INVALID_PIPELINE, "It does not fit what others send and read now; use another name for it.", faults
        )
