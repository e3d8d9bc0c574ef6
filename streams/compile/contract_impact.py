"""What a change of services' contracts does to pipelines: which compiled before and do not now, and which may fail."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

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
    """One place of a contract that is not as it was: `input.areas[].x`, both types or bounds as text (`was` may be empty)."""

    service: str
    where: str
    was: str
    now: str

    def __str__(self) -> str:
        return f"{self.service}.{self.where}: " + (f"was {self.was}, is {self.now}" if self.was else self.now)


@dataclass(frozen=True)
class Effect:
    """What a change does to one pipeline: the problems that it has now and had not, and the changes of what it uses."""

    pipeline: str
    problems: tuple[Problem, ...]
    changes: tuple[Change, ...]
    narrowed: tuple[str, ...] = ()
    """Inputs that take less than they did, and that it gives values which are known at run time only."""

    @property
    def breaking(self) -> bool:
        """Whether it compiled with the old contracts and does not with the new ones."""
        return bool(self.problems)


def effects(
    library: Library, names: Iterable[str], old: Mapping[str, Contract], new: Mapping[str, Contract]
) -> list[Effect]:
    """What becomes of these pipelines of a library. One that did not compile before is not here: lint says what it lacks."""
    changed = {name: tuple(changes(name, old, new)) for name in old if old[name] != new.get(name)}
    found = []
    for name in sorted(names):
        before, problems = _compiled(library.specs[name], old, library)
        if before is None or problems:
            continue
        _, after = _compiled(library.specs[name], new, library)
        used = tuple(one for service in sorted(before.services) for one in changed.get(service, ()))
        narrowed = tuple(_narrowed(before, old, new)) if not after else ()
        if after or narrowed:
            found.append(Effect(name, after, used, narrowed))
    return found


def changes(service: str, old: Mapping[str, Contract], new: Mapping[str, Contract]) -> Iterator[Change]:
    """Every place where a service's contract differs."""
    if service not in new:
        yield Change(service, "", "there", "gone")
        return
    for side in ("input", "output"):
        was, now = getattr(old[service], side), getattr(new[service], side)
        for where, one, other in _differences(from_avro(was), from_avro(now), side):
            yield Change(service, where, one, other)
    for reason in tightened(new[service].input, old[service].input):
        where, _, what = reason.partition(": ")
        one, _, other = what.partition(" became ")
        word = one.partition(" ")[0]  # minimum or maximum
        yield Change(service, f"input.{where}", *((one, f"{word} {other}") if other else ("", what)))


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
        if isinstance(work, ServiceWork) and work.service in new:
            for reason in tightened(new[work.service].input, old[work.service].input):
                name = reason.partition(":")[0].partition(".")[0].partition("[")[0].partition("{")[0]
                if name in work.input:
                    yield f"{vertex.id} gives {work.service} {reason}"


def _differences(was: Type, now: Type, where: str) -> Iterator[tuple[str, str, str]]:
    if was.kind is not now.kind or was.optional is not now.optional:
        yield where, was.brief(), now.brief()
    elif was.kind in (Kind.LIST, Kind.MAP) and was.item and now.item:
        yield from _differences(was.item, now.item, f"{where}[]")
    elif was.kind is Kind.RECORD:
        names = dict.fromkeys([one.name for one in (*was.fields, *now.fields)])
        for name in names:
            one, other = was.field(name), now.field(name)
            place = f"{where}.{name}"
            if one is None or other is None or one.required is not other.required:
                yield place, _field(one), _field(other)
            else:
                yield from _differences(one.type, other.type, place)


def _field(one: Field | None) -> str:
    return "not there" if one is None else f"{one.type.brief()}{', required' if one.required else ', with a default'}"
