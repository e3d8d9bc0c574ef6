"""Plan the repetition of a run: which nodes run again, and which outputs are reused. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.errors import Nonconforming, Problem
from schemas.validation.conform import conform
from streams.errors import Blame, MillraceError
from streams.language.definition.parse import suggest
from streams.language.topology import OutWork, RepeatWork, ServiceWork, Topology
from streams.messages import At, Value

Place = tuple[str, At]
Image = Callable[[str, Any], Mapping[str, Any]]
"""Returns the ref of an image that came as bytes or a data URL, given its place."""


class BadReplay(MillraceError, ValueError):
    """Raised when a run cannot be repeated in this way; `problems` holds every reason."""

    blame = Blame.CALLER

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))


@dataclass(frozen=True)
class Replay:
    """The input of the new run, and the outputs that it reuses."""

    input: Mapping[str, Value]
    reused: Mapping[Place, Value]


def plan(
    topology: Topology,
    inputs: Mapping[str, Value],
    outputs: Mapping[Place, Value],
    unfinished: Iterable[str] = (),
    start: str = "",
    changes: Mapping[str, Value] | None = None,
    image: Image | None = None,
) -> Replay:
    """Plan to repeat a run with the input `inputs`, whose services returned `outputs`.

    `unfinished` are services that started and returned nothing: they run again, and so does everything after them. `start` is
    the node from which nodes run again; the outputs of nodes that do not come after it are reused. Without it, and without a
    changed output, nothing is reused. `changes` are new values by path, of an input (`strength`) or of an output
    (`detect.faces[0].score`); everything after a changed output runs again. `image` stores images among the changes.
    Raises BadReplay with every problem.
    """
    problems: list[Problem] = []
    nodes = _nodes(topology, start, problems)
    edited = _Edited(topology, dict(inputs), dict(outputs))
    for path, value in (changes or {}).items():
        try:
            edited.change(path, value)
        except Nonconforming as error:
            problems += error.problems
    record = _checked(topology.input, edited.inputs, "", problems, image)
    for vertex, at in [place for place in edited.outputs if place[0] in edited.changed]:
        schema, output = topology.services[_work(topology, vertex).service].output, edited.outputs[vertex, at]
        edited.outputs[vertex, at] = _checked(schema, output, topology.path(vertex, at), problems, image)
    if problems:
        raise BadReplay(problems)
    if not nodes and not edited.changed:
        return Replay(record, {})
    again = affected(topology, [*nodes, *unfinished], edited.changed)
    reused = {place: value for place, value in edited.outputs.items() if _reusable(topology, place, again)}
    return Replay(record, reused)


@dataclass
class _Edited:
    """The input and the outputs of a run while changes are applied."""

    topology: Topology
    inputs: dict[str, Value]
    outputs: dict[Place, Value]
    changed: set[str] = field(default_factory=set)
    """The vertices whose outputs were changed."""

    def change(self, path: str, value: Value) -> None:
        """Apply one change. Raises Nonconforming for a path that leads nowhere."""
        printed = {self.topology.path(*place): place for place in self.outputs}
        name = next((name for name in sorted(printed, key=len, reverse=True) if _under(path, name)), None)
        head = re.split(r"[.\[]", path, maxsplit=1)[0]
        fields = [declared["name"] for declared in self.topology.input["fields"]]
        if name is not None:
            place = printed[name]
            self.outputs[place] = _changed(self.outputs[place], path[len(name) :], value)
            self.changed.add(place[0])
        elif head in self.inputs or head in fields:
            self.inputs = _changed(self.inputs, f".{path}", value)
        else:
            problem = f"the run has no input and no output {head!r}"
            raise Nonconforming([Problem(path, problem, suggest(head, [*printed, *fields]))])


def affected(topology: Topology, nodes: Iterable[str], changed: Iterable[str]) -> frozenset[str]:
    """Return the services that run again: `nodes`, what is inside them, and everything after them or after `changed`."""
    bodies: dict[str, list[str]] = {}
    for vertex in topology.vertices.values():
        bodies.setdefault(topology.blocks[vertex.block].owner, []).append(vertex.id)
    begun: set[str] = set()
    ended: set[str] = set()
    waiting = [*((name, True) for name in nodes), *((name, False) for name in changed)]
    while waiting:
        name, again = waiting.pop()
        if name in (begun if again else ended):
            continue
        (begun if again else ended).add(name)
        vertex = topology.vertices[name]
        if again:
            waiting += [(inner, True) for inner in bodies.get(name, ())]
            waiting.append((name, False))
            continue
        owner = topology.blocks[vertex.block].owner
        if isinstance(vertex.work, OutWork) and owner:
            waiting.append((owner, False))
        waiting += [(edge.target, True) for edge in vertex.targets]
    return frozenset(name for name in begun if isinstance(topology.vertices[name].work, ServiceWork))


def _reusable(topology: Topology, place: Place, again: frozenset[str]) -> bool:
    """Return whether an output is reused: not that of a node that runs again, nor of a later round of a loop with one."""
    vertex, at = place
    if vertex in again:
        return False
    for loop, index in zip(topology.vertices[vertex].loops, at, strict=False):
        repeated = index and isinstance(topology.vertices[loop].work, RepeatWork)
        if repeated and any(name.startswith(f"{loop}.") for name in again):
            return False
    return True


def _nodes(topology: Topology, start: str, problems: list[Problem]) -> list[str]:
    if not start:
        return []
    name = re.sub(r"\[\d+\]", "", start)
    if name in topology.vertices and not isinstance(topology.vertices[name].work, OutWork):
        return [name]
    known = [known for known, vertex in topology.vertices.items() if not isinstance(vertex.work, OutWork)]
    problems.append(Problem("from", f"the pipeline has no node {start!r}", suggest(name, known)))
    return []


def _work(topology: Topology, vertex: str) -> ServiceWork:
    work = topology.vertices[vertex].work
    assert isinstance(work, ServiceWork)
    return work


def _under(path: str, name: str) -> bool:
    return path == name or path.startswith((f"{name}.", f"{name}["))


_STEP = re.compile(r"\.([A-Za-z_]\w*)|\[(\d{1,9})\]")


def _changed(value: Value, rest: str, new: Value) -> Any:
    """Return a copy of a value with a new value at a path inside. Raises Nonconforming for a path that leads nowhere."""
    if not rest:
        return new
    step = _STEP.match(rest)
    where = rest.lstrip(".")
    if step is None:
        raise Nonconforming([Problem(where, "this is not a path", "write a.b[0].c")])
    after = rest[step.end() :]
    if step[1]:
        if not isinstance(value, Mapping) or (after and step[1] not in value):
            raise Nonconforming([Problem(where, f"there is nothing at {step[1]!r}")])
        return {**value, step[1]: _changed(value.get(step[1]), after, new)}
    index = int(step[2])
    if not isinstance(value, list) or index >= len(value):
        raise Nonconforming([Problem(where, f"there is no item {index}")])
    return [_changed(item, after, new) if number == index else item for number, item in enumerate(value)]


def _checked(schema: Mapping[str, Any], value: Value, path: str, problems: list[Problem], image: Image | None) -> Any:
    try:
        return conform(schema, value, image=image)
    except Nonconforming as error:
        for problem in error.problems:
            where = f"{path}.{problem.where}" if path and problem.where else path or problem.where
            problems.append(Problem(where, problem.problem, problem.hint))
        return value
