"""Repeating a run: which nodes are executed again, and which outputs of the earlier run are taken over. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.errors import Nonconforming, Problem
from schemas.validation.conform import conform
from streams.errors import Blame, MillraceError
from streams.language.definition.parse import suggest
from streams.language.topology import OutWork, RepeatWork, ServiceWork, Topology
from streams.messages import At, Value

Place = tuple[str, At]
Image = Callable[[str, Any], Mapping[str, Any]]
"""Makes the ref of an image that came as bytes or a data URL, at this place."""


class BadReplay(MillraceError, ValueError):
    """A run cannot be repeated so; `problems` holds every reason."""

    blame = Blame.CALLER

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))


@dataclass(frozen=True)
class Replay:
    """The input of the new run, and the outputs that it takes over."""

    input: Mapping[str, Value]
    reused: Mapping[Place, Value]


def plan(
    topology: Topology,
    given: Mapping[str, Value],
    outputs: Mapping[Place, Value],
    unfinished: Iterable[str] = (),
    start: str = "",
    changes: Mapping[str, Value] | None = None,
    image: Image | None = None,
) -> Replay:
    """What repeating a run means, of which `given` is the input and `outputs` what its services gave.

    `unfinished` are services that began somewhere in it and gave nothing: they are asked again, and so is what comes after
    them. `start` is the node from which on nodes are executed again; every node that does not come after it is taken over if it
    finished. Without it, and without a change of an output, nothing is. `changes` are new values by path: of an input
    (`strength`) or of an output (`detect.faces[0].score`); what comes after a changed output is executed again.
    `image` makes refs of images that changes bring. Raises BadReplay with everything that is wrong.
    """
    problems: list[Problem] = []
    nodes = _nodes(topology, start, problems)
    made: dict[str, Value] = dict(given)
    outputs, changed = dict(outputs), set[str]()
    printed = {topology.path(*place): place for place in outputs}
    for path, value in (changes or {}).items():
        name = next((one for one in sorted(printed, key=len, reverse=True) if _under(path, one)), None)
        head = re.split(r"[.\[]", path, maxsplit=1)[0]
        try:
            if name is not None:
                place = printed[name]
                outputs[place] = _changed(outputs[place], path[len(name) :], value)
                changed.add(place[0])
            elif head in given or head in {field["name"] for field in topology.input["fields"]}:
                made = _changed(made, f".{path}", value)
            else:
                known = [*printed, *(field["name"] for field in topology.input["fields"])]
                raise Nonconforming(
                    [Problem(path, f"the run has no input and no output {head!r}", suggest(head, known))]
                )
        except Nonconforming as error:
            problems += error.problems
    made = _checked(topology.input, made, "", problems, image)
    for vertex, at in [place for place in outputs if place[0] in changed]:
        schema = topology.services[_work(topology, vertex).service].output
        outputs[vertex, at] = _checked(schema, outputs[vertex, at], topology.path(vertex, at), problems, image)
    if problems:
        raise BadReplay(problems)
    if not nodes and not changed:
        return Replay(made, {})
    again = affected(topology, [*nodes, *unfinished], changed)
    kept = {place: value for place, value in outputs.items() if _kept(topology, place, again)}
    return Replay(made, kept)


def affected(topology: Topology, nodes: Iterable[str], changed: Iterable[str]) -> frozenset[str]:
    """The services that are executed again: `nodes`, what is inside them, and all that comes after them or after `changed`."""
    bodies: dict[str, list[str]] = {}
    for vertex in topology.vertices.values():
        bodies.setdefault(topology.blocks[vertex.block].owner, []).append(vertex.id)
    begun: set[str] = set()
    ended: set[str] = set()
    waiting = [*((one, True) for one in nodes), *((one, False) for one in changed)]
    while waiting:
        name, again = waiting.pop()
        if name in (begun if again else ended):
            continue
        (begun if again else ended).add(name)
        vertex = topology.vertices[name]
        if again:
            waiting += [(one, True) for one in bodies.get(name, ())]
            waiting.append((name, False))
            continue
        owner = topology.blocks[vertex.block].owner
        if isinstance(vertex.work, OutWork) and owner:
            waiting.append((owner, False))
        waiting += [(edge.target, True) for edge in vertex.targets]
    return frozenset(one for one in begun if isinstance(topology.vertices[one].work, ServiceWork))


def _kept(topology: Topology, place: Place, again: frozenset[str]) -> bool:
    """Whether an output is taken over: not of a node that is executed again, nor of a later round of a loop with one."""
    vertex, at = place
    if vertex in again:
        return False
    for loop, index in zip(topology.vertices[vertex].loops, at, strict=False):
        repeated = index and isinstance(topology.vertices[loop].work, RepeatWork)
        if repeated and any(one.startswith(f"{loop}.") for one in again):
            return False
    return True


def _nodes(topology: Topology, start: str, problems: list[Problem]) -> list[str]:
    if not start:
        return []
    name = re.sub(r"\[\d+\]", "", start)
    if name in topology.vertices and not isinstance(topology.vertices[name].work, OutWork):
        return [name]
    known = [one for one, vertex in topology.vertices.items() if not isinstance(vertex.work, OutWork)]
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
    """A copy of a value with something else at a place inside. Raises Nonconforming for a place that there is not."""
    if not rest:
        return new
    step = _STEP.match(rest)
    where = rest.lstrip(".")
    if step is None:
        raise Nonconforming([Problem(where, "this is no path", "say a.b[0].c")])
    after = rest[step.end() :]
    if step[1]:
        if not isinstance(value, Mapping) or (after and step[1] not in value):
            raise Nonconforming([Problem(where, f"there is nothing at {step[1]!r}")])
        return {**value, step[1]: _changed(value.get(step[1]), after, new)}
    index = int(step[2])
    if not isinstance(value, list) or index >= len(value):
        raise Nonconforming([Problem(where, f"there is no item {index}")])
    return [_changed(one, after, new) if number == index else one for number, one in enumerate(value)]


def _checked(schema: Mapping[str, Any], value: Value, path: str, problems: list[Problem], image: Image | None) -> Any:
    try:
        return conform(schema, value, image=image)
    except Nonconforming as error:
        for one in error.problems:
            where = f"{path}.{one.where}" if path and one.where else path or one.where
            problems.append(Problem(where, one.problem, one.hint))
        return value
