"""Repeating a run: a new run linked to it, which reuses what it can, with its own copies of the objects."""

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
from gateway.data.objects import Objects
from gateway.following.run_events import RunEvents
from gateway.following.view import RunView
from gateway.monitoring.kafka_pulse import KafkaPulse
from gateway.submission.inputs import UploadedImages
from gateway.submission.sender import Sender
from gateway.submission.submit import keyed_run
from schemas.refs import Ref, is_ref, replace
from schemas.refs import walk as walk_refs
from streams.flow.replay import BadReplay, Replay, plan
from streams.language.topology import ServiceWork, Topology
from streams.messages import At, Run, Start
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.errors import Missing

_SHOWN = 64 * 1024
"""Characters of JSON up to which the accepted event shows the input."""
_COPIES_AT_ONCE = 16
_BEGAN = frozenset({"started", "retrying", "failed"})
_DECIDED = frozenset({"when", "missing"})
"""Members of the event of a node that the pipeline itself skipped; a node dropped with its run has neither."""


@dataclass(frozen=True)
class ReplayRequest:
    """From which node on a run is repeated, and with which changes."""

    start: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, body: Any) -> "ReplayRequest":
        """Read a request's body, None when it was empty. Raises Problem (422)."""
        hint = '{"from": "blur", "set": {"strength": 0.4}}'
        fields = {} if body is None else body
        faults = []
        if not isinstance(fields, dict):
            faults.append(Fault("", "the body is an object", hint))
            fields = {}
        faults += [Fault(name, "this is not known here", hint) for name in fields.keys() - {"from", "set"}]
        start, changes = fields.get("from") or "", fields.get("set") or {}
        if not isinstance(start, str):
            faults.append(Fault("from", "the name of a node", hint))
        if not isinstance(changes, dict):
            faults.append(Fault("set", "an object from paths to values", hint))
        if faults:
            raise Problem(Kind.INVALID, "The body is not what this call takes.", faults)
        return cls(start, changes)


@dataclass(frozen=True)
class StartedReplay:
    """The new run, and the places whose outputs it reuses."""

    run: str
    reused: list[str]


class Replayer:
    """Repeats runs."""

    def __init__(
        self,
        owner: str,
        pipelines: Pipelines,
        run_events: RunEvents,
        objects: Objects,
        sender: Sender,
        pulse: KafkaPulse,
    ) -> None:
        """`owner`: the holder of the API key, whose idempotency keys these are."""
        self._owner = owner
        self._pipelines = pipelines
        self._run_events = run_events
        self._objects = objects
        self._sender = sender
        self._pulse = pulse

    async def replay(self, view: RunView, input: Any, request: ReplayRequest, key: str | None) -> StartedReplay:
        """Start a run that repeats the one of this view. Raises Problem: 409, 410, 422, 503.

        `input`: that of the old run, None when it is no longer kept. `key`: the idempotency key, if there is one.
        """
        run = keyed_run(self._owner, f"replay\0{view.run}\0{key}") if key else str(uuid.uuid4())
        if key and await self._run_events.exists(run):
            raise Problem(
                Kind.DUPLICATE, "The run with this key has begun.", headers={"Location": f"/runs/{run}"},
                extra={"id": run, "links": links(run)},
            )  # fmt: skip
        topology = self._pipelines.topology(view.digest or "")
        if topology is None:
            raise Problem(Kind.GONE, f"The version {(view.digest or '')[:12]} of {view.pipeline} has been forgotten.")
        if input is None:
            raise Problem(Kind.GONE, "The input of this run is no longer kept; send it again as a run of its own.")
        uploads = UploadedImages(self._objects.bucket, run)
        outputs, unfinished = _outputs(view, topology)
        try:
            replay = plan(topology, bare(input), outputs, unfinished, request.start, request.changes, image=uploads)
        except BadReplay as error:
            faults = [Fault(problem.where, problem.problem, problem.hint) for problem in error.problems]
            raise Problem(Kind.INVALID, "The run cannot be repeated so.", [*faults, *uploads.faults]) from None
        if uploads.faults:
            raise Problem(Kind.INVALID, "The run cannot be repeated so.", uploads.faults)
        await self._objects.store(uploads.objects.values())
        replay = await self._copy_objects(topology, replay, run, {ref.key for ref, _ in uploads.objects.values()})
        await self._start(view, topology, replay, run, request)
        return StartedReplay(run, sorted(topology.path(*place) for place in replay.reused))

    async def _start(self, view: RunView, topology: Topology, replay: Replay, run: str, request: ReplayRequest) -> None:
        origin: dict[str, Any] = {
            "replay_of": view.run,
            "replay": {"from": request.start or None, "set": sorted(request.changes)},
        }
        about = Run(run, topology.name, topology.digest, time.time() + topology.timeout)
        source = f"replay of {view.run}"
        start = self._sender.start(Start(about, replay.input, source, replay.reused, origin))
        await self._pulse.begin(run, start)
        data = {"pipeline": topology.name, "digest": topology.digest, "source": source, **origin}
        if len(json.dumps(replay.input, default=str)) <= _SHOWN:
            data["input"] = replay.input
        await self._pulse.begin(run, self._sender.accepted(about, data))

    async def _copy_objects(self, topology: Topology, replay: Replay, run: str, own: set[str]) -> Replay:
        """Return the replay with objects of its own, so that those of the old run may expire. Raises Problem (410).

        `own`: the keys of objects that the request brought.
        """
        named: dict[str, tuple[Ref, str]] = {}
        for where, ref in walk_refs(topology.input, replay.input):
            named.setdefault(ref.key, (ref, where))
        for place, value in replay.reused.items():
            for where, ref in walk_refs(None, value):
                named.setdefault(ref.key, (ref, f"{topology.path(*place)}.{where}"))
        slots, expired = asyncio.Semaphore(_COPIES_AT_ONCE), list[Fault]()

        async def copy(ref: Ref, where: str) -> None:
            async with slots:
                try:
                    await self._objects.copy(ref.key, f"runs/{run}/{ref.sha256}")
                except Missing:
                    hint = f"set another value (--set {where}=…), or begin at a node that does not need it"
                    expired.append(Fault(where, f"the object {ref.key} has expired", hint))

        bucket = self._objects.bucket
        await asyncio.gather(
            *(copy(ref, where) for ref, where in named.values() if ref.key not in own and ref.bucket == bucket)
        )
        if expired:
            raise Problem(Kind.GONE, "Objects of the run have expired.", sorted(expired, key=lambda fault: fault.where))

        def moved(ref: Ref) -> Ref:
            key = ref.key if ref.key in own else f"runs/{run}/{ref.sha256}"
            return Ref(ref.bucket, key, ref.size, ref.sha256, ref.media_type)

        input = replace(topology.input, replay.input, moved)
        return Replay(input, {place: replace(None, value, moved) for place, value in replay.reused.items()})


def _outputs(view: RunView, topology: Topology) -> tuple[dict[tuple[str, At], Any], set[str]]:
    """Return the outputs of services by place, and the nodes that began somewhere and have no output."""
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
    """Return the positions in the enclosing loops of a printed place: `a[2].b[0].c` is (2, 0)."""
    return tuple(int(number) for number in re.findall(r"\[(\d+)\]", path))


def bare(value: Any) -> Any:
    """Return a value as clients see it with its refs as records carry them."""
    if isinstance(value, Mapping):
        if value.keys() <= {"ref", "href"} and is_ref(value.get("ref")):
            return value["ref"]
        return {name: bare(item) for name, item in value.items()}
    return [bare(item) for item in value] if isinstance(value, list) else value
