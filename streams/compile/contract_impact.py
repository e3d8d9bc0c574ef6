"""Find the pipelines that a change of services' contracts breaks, and those that it may break at run time."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.contracts import Contract
from schemas.validation.bounds import tightened
from streams.compile import compile_spec
from streams.compile.library import Library
from streams.errors import PipelineErrors, Problem
from streams.language.definition.model import PipelineSpec
from streams.language.topology import ServiceWork, Topology
from streams.language.types import Field, Kind, Type, from_avro


@dataclass(frozen=True)
class Change:
    """One changed place of a contract: `input.areas[].x`, with both types or bounds as text (`was` may be empty)."""

    service: str
    where: str
    was: str
    now: str

    def __str__(self) -> str:
        return f"{self.service}.{self.where}: " + (f"was {self.was}, is {self.now}" if self.was else self.now)


@dataclass(frozen=True)
class Effect:
    """What a change does to one pipeline: its new problems, and the changes of the services it uses."""

    pipeline: str
    problems: tuple[Problem, ...]
    changes: tuple[Change, ...]
    narrowed: tuple[str, ...] = ()
    """Inputs that accept less than before and whose values are known only at run time."""

    @property
    def breaking(self) -> bool:
        """Whether it compiles with the old contracts and not with the new ones."""
        return bool(self.problems)

    def to_json(self) -> dict[str, Any]:
        """Return the form that `lint --output json` prints."""
        return {
            "pipeline": self.pipeline,
            "breaking": self.breaking,
            "problems": [problem.to_json() for problem in self.problems],
            "changes": [
                {"service": change.service, "where": change.where, "was": change.was, "now": change.now}
                for change in self.changes
            ],
            "narrowed": list(self.narrowed),
        }

    def __str__(self) -> str:
        """Return a line for each problem and narrowed input, and for each change if they break the pipeline."""
        lines = [
            *(f"{self.pipeline} breaks: {problem}" for problem in self.problems),
            *(f"{self.pipeline} may fail: {narrowing}" for narrowing in self.narrowed),
            *(f"    {change}" for change in self.changes if self.breaking),
        ]
        return "\n".join(lines)


def effects(
    library: Library, names: Iterable[str], old: Mapping[str, Contract], new: Mapping[str, Contract]
) -> list[Effect]:
    """Return the effects on these pipelines of a library. Those that did not compile before are left to lint."""
    changed = {name: tuple(changes(name, old, new)) for name in old if old[name] != new.get(name)}
    affected = []
    for name in sorted(names):
        before, problems = _compiled(library.specs[name], old, library)
        if before is None or problems:
            continue
        _, after = _compiled(library.specs[name], new, library)
        used = tuple(change for service in sorted(before.services) for change in changed.get(service, ()))
        narrowed = tuple(_narrowed(before, old, new)) if not after else ()
        if after or narrowed:
            affected.append(Effect(name, after, used, narrowed))
    return affected


def changes(service: str, old: Mapping[str, Contract], new: Mapping[str, Contract]) -> Iterator[Change]:
    """Yield every place where a service's contract differs."""
    if service not in new:
        yield Change(service, "", "there", "gone")
        return
    for side in ("input", "output"):
        was, now = getattr(old[service], side), getattr(new[service], side)
        for where, before, after in _differences(from_avro(was), from_avro(now), side):
            yield Change(service, where, before, after)
    for reason in tightened(new[service].input, old[service].input):
        where, _, what = reason.partition(": ")
        before, _, after = what.partition(" became ")
        word = before.partition(" ")[0]  # minimum or maximum
        yield Change(service, f"input.{where}", *((before, f"{word} {after}") if after else ("", what)))


def _compiled(
    spec: PipelineSpec, contracts: Mapping[str, Contract], library: Library
) -> tuple[Topology | None, tuple[Problem, ...]]:
    try:
        return compile_spec(spec, contracts, library.specs), ()
    except PipelineErrors as error:
        return None, error.problems


def _narrowed(topology: Topology, old: Mapping[str, Contract], new: Mapping[str, Contract]) -> Iterator[str]:
    for vertex in topology.vertices.values():
        work = vertex.work
        if not isinstance(work, ServiceWork) or work.service not in new:
            continue
        for reason in tightened(new[work.service].input, old[work.service].input):
            name = re.split(r"[:.\[{]", reason, maxsplit=1)[0]
            if name in work.input:
                yield f"{vertex.id} gives {work.service} {reason}"


def _differences(was: Type, now: Type, where: str) -> Iterator[tuple[str, str, str]]:
    if was.kind is not now.kind or was.optional is not now.optional:
        yield where, was.brief(), now.brief()
    elif was.kind in (Kind.LIST, Kind.MAP) and was.item and now.item:
        yield from _differences(was.item, now.item, f"{where}[]")
    elif was.kind is Kind.RECORD:
        names = dict.fromkeys([field.name for field in (*was.fields, *now.fields)])
        for name in names:
            before, after = was.field(name), now.field(name)
            place = f"{where}.{name}"
            if before is None or after is None or before.required is not after.required:
                yield place, _field(before), _field(after)
            else:
                yield from _differences(before.type, after.type, place)


def _field(field: Field | None) -> str:
    if field is None:
        return "not there"
    return f"{field.type.brief()}{', required' if field.required else ', with a default'}"
