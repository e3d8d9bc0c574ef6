"""Repeating a run: a new run linked to it, which takes over what it can, with copies of the objects of its own."""

import asyncio
import json
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.api.links import links
from gateway.api.problems import Fault, Kind, Problem
from gateway.dependencies import Parts
from gateway.following.view import RunView
from gateway.submission.inputs import UploadedImages
from gateway.submission.submit import keyed_run
from schemas.refs import Ref, is_ref, replace
from schemas.refs import walk as walk_refs
from streams.flow.replay import BadReplay, Replay, plan
from streams.language.topology import ServiceWork, Topology
from streams.messages import At, Run, Start
from streams.runtime.errors import Missing

_SHOWN = 64 * 1024
_AT_ONCE = 16
"""Objects copied at a time."""
_BEGAN = frozenset({"started", "retrying", "failed"})
_DECIDED = frozenset({"when", "missing"})
"""What the event of a node says that the pipeline itself skipped; one that was dropped with its run says neither."""


@dataclass(frozen=True)
class ReplayRequest:
    """What to repeat: from which node on, with which changes."""

    start: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Any) -> "ReplayRequest":
        """The wish of a request's body. Raises Problem (422)."""
        hint = '{"from": "blur", "set": {"strength": 0.4}}'
        given = {} if given is None else given
        faults = []
        if not isinstance(given, dict):
            faults.append(Fault("", "the body is an object", hint))
            given = {}
        faults += [Fault(name, "this is not known here", hint) for name in given.keys() - {"from", "set"}]
        start, changes = given.get("from") or "", given.get("set") or {}
        if not isinstance(start, str):
            faults.append(Fault("from", "the name of a node", hint))
        if not isinstance(changes, dict):
            faults.append(Fault("set", "an object from paths to values", hint))
        if faults:
            raise Problem(Kind.INVALID, "The body is not what this call takes.", faults)
        return cls(start, changes)


@dataclass(frozen=True)
class StartedReplay:
    """The new run, and the places whose outputs it takes over."""

    run: str
    reused: list[str]


async def replay(parts: Parts, view: RunView, given: Any, wish: ReplayRequest, key: str | None) -> StartedReplay:
    """Begins a run that repeats the one of this view. Raises Problem: 409, 410, 422, 503."""
    run = keyed_run(parts.keeper.owner, f"replay\0{view.run}\0{key}") if key else str(uuid.uuid4())
    if key and await parts.journal.find(run):
        raise Problem(
            Kind.DUPLICATE, "The run with this key has begun.", headers={"Location": f"/runs/{run}"},
            extra={"id": run, "links": links(run)},
        )  # fmt: skip
    topology = parts.pipelines.topology(view.digest or "")
    if topology is None:
        raise Problem(Kind.GONE, f"The version {(view.digest or '')[:12]} of {view.pipeline} has been forgotten.")
    if given is None:
        raise Problem(Kind.GONE, "The input of this run is no longer kept; send it again as a run of its own.")
    deposit = UploadedImages(parts.objects.bucket, run)
    outputs, unfinished = _gave(view, topology)
    try:
        made = plan(topology, bare(given), outputs, unfinished, wish.start, wish.changes, image=deposit)
    except BadReplay as error:
        faults = [Fault(one.where, one.problem, one.hint) for one in error.problems]
        raise Problem(Kind.INVALID, "The run cannot be repeated so.", [*faults, *deposit.faults]) from None
    if deposit.faults:
        raise Problem(Kind.INVALID, "The run cannot be repeated so.", deposit.faults)
    await parts.objects.store(deposit.objects.values())
    made = await _copied(parts, topology, made, run, {ref.key for ref, _ in deposit.objects.values()})
    await _begin(parts, view, topology, made, run, wish)
    return StartedReplay(run, sorted(topology.path(*place) for place in made.reused))


async def _begin(parts: Parts, view: RunView, topology: Topology, made: Replay, run: str, wish: ReplayRequest) -> None:
    origin: dict[str, Any] = {
        "replay_of": view.run,
        "replay": {"from": wish.start or None, "set": sorted(wish.changes)},
    }
    about = Run(run, topology.name, topology.digest, time.time() + topology.timeout)
    source = f"replay of {view.run}"
    start = parts.sender.start(Start(about, made.input, source, made.reused, origin))
    await parts.pulse.begin(run, start)
    data = {"pipeline": topology.name, "digest": topology.digest, "source": source, **origin}
    if len(json.dumps(made.input, default=str)) <= _SHOWN:
        data["input"] = made.input
    await parts.pulse.begin(run, parts.sender.accepted(about, data))


def _gave(view: RunView, topology: Topology) -> tuple[dict[tuple[str, At], Any], set[str]]:
    """What services gave, by place, and those that began somewhere and gave nothing."""
    outputs: dict[tuple[str, At], Any] = {}
    unfinished: set[str] = set()
    for path, node in view.nodes.items():
        vertex = topology.vertices.get(node["node"])
        if vertex is None or not isinstance(vertex.work, ServiceWork):
            continue
        if node["status"] == "finished":
            outputs[vertex.id, positions(path)] = bare(node.get("output"))
        elif node["status"] in _BEGAN or not _DECIDED & node.keys():
            unfinished.add(vertex.id)
    return outputs, unfinished


def positions(path: str) -> At:
    """The positions in the enclosing loops that a printed place shows."""
    return tuple(int(number) for number in re.findall(r"\[(\d+)\]", path))


def bare(value: Any) -> Any:
    """A value as clients see it, with its refs as records carry them."""
    if isinstance(value, Mapping):
        if value.keys() <= {"ref", "href"} and is_ref(value.get("ref")):
            return value["ref"]
        return {name: bare(one) for name, one in value.items()}
    return [bare(one) for one in value] if isinstance(value, list) else value


async def _copied(parts: Parts, topology: Topology, made: Replay, run: str, own: set[str]) -> Replay:
    """The same with objects under the new run's name, so that the old ones may go. Raises Problem (410)."""
    wanted: dict[str, tuple[Ref, str]] = {}
    for where, ref in walk_refs(topology.input, made.input):
        wanted.setdefault(ref.key, (ref, where))
    for place, value in made.reused.items():
        for where, ref in walk_refs(None, value):
            wanted.setdefault(ref.key, (ref, f"{topology.path(*place)}.{where}"))
    room, gone = asyncio.Semaphore(_AT_ONCE), list[Fault]()

    async def copy(ref: Ref, where: str) -> None:
        async with room:
            try:
                await parts.objects.copy(ref.key, f"runs/{run}/{ref.sha256}")
            except Missing:
                hint = f"set it anew (--set {where}=…), or begin at a node that does not need it"
                gone.append(Fault(where, f"the object {ref.key} has expired", hint))

    mine = [(ref, where) for ref, where in wanted.values() if ref.key not in own and ref.bucket == parts.objects.bucket]
    await asyncio.gather(*(copy(ref, where) for ref, where in mine))
    if gone:
        raise Problem(Kind.GONE, "Objects of the run have expired.", sorted(gone, key=lambda one: one.where))

    def moved(ref: Ref) -> Ref:
        key = ref.key if ref.key in own else f"runs/{run}/{ref.sha256}"
        return Ref(ref.bucket, key, ref.size, ref.sha256, ref.media_type)

    given = replace(topology.input, made.input, moved)
    return Replay(given, {place: replace(None, value, moved) for place, value in made.reused.items()})
