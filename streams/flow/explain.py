"""Explain why a run has not ended: what each place in it waits for, by its events and flow's state. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Any

from streams.errors import EvaluationError
from streams.flow.run_state import RunState
from streams.language.topology import (
    BranchWork,
    EachWork,
    OutWork,
    PipelineWork,
    RepeatWork,
    ServiceWork,
    Topology,
    Vertex,
    Wait,
)
from streams.lifecycle import NodeStatus
from streams.messages import At

MOST = 200
"""Places in one answer, at most."""
_ITEMS = 3
"""Items of a loop that are examined."""


class Why(StrEnum):
    """What a place waits for."""

    JOIN = "join"  # other nodes must end first
    LOOP = "loop"  # items of a loop must end
    QUEUED = "queued"  # a task waits for a worker
    RUNNING = "running"  # a worker runs it
    RETRY = "retry"  # it is tried again at a time
    BEGIN = "begin"  # for flow to handle its request
    FLOW = "flow"  # everything has arrived, and flow has to handle it


@dataclass(frozen=True)
class Waiting:
    """One place that waits. `path` is the printed place, "" for the end of the run; `data` holds the details."""

    why: Why
    path: str
    node: str
    data: Mapping[str, Any] = field(default_factory=dict)


def waits(
    topology: Topology, nodes: Mapping[str, Mapping[str, Any]], inputs: Mapping[str, Any], state: RunState | None
) -> list[Waiting]:
    """Return every place that the end of a run waits for, the end itself first; at most MOST.

    `nodes`: what clients see of each node execution, by path; `inputs`: the run's input; `state`: flow's, None when unknown.
    """
    return list(islice(_Explanation(topology, nodes, inputs, state).vertex("$out", ()), MOST))


class _Explanation:
    def __init__(
        self,
        topology: Topology,
        nodes: Mapping[str, Mapping[str, Any]],
        inputs: Mapping[str, Any],
        state: RunState | None,
    ) -> None:
        self.topology, self.nodes, self.inputs, self.state = topology, nodes, inputs, state
        self._seen: set[tuple[str, At]] = set()
        self._over: dict[tuple[str, At], bool] = {}

    def vertex(self, name: str, at: At) -> Iterator[Waiting]:
        """Yield why a vertex has not ended: first itself, then what it waits for. Yield nothing when it has, or the second time."""
        waiting = [(name, at)]
        while waiting:
            name, at = waiting.pop()
            if (name, at) in self._seen:
                continue
            self._seen.add((name, at))
            if self.over(name, at):
                continue
            vertex = self.topology.vertices[name]
            missing = [source for source in vertex.sources if not self.over(source, at)]
            if missing:
                if len(vertex.sources) > 1:
                    yield self._join(vertex, at, missing)
                waiting.extend((source, at) for source in reversed(missing))
            else:
                yield from self._work(vertex, at)

    def over(self, name: str, at: At) -> bool:
        """Return whether a vertex has ended, or failed without an event of its own because something it needs failed."""
        known = self._over.get((name, at))
        if known is not None:
            return known
        # Not by recursion: a chain may be thousands of nodes long.
        stack = [name]
        while stack:
            top = stack[-1]
            vertex = self.topology.vertices[top]
            if self.ended(top, at):
                self._over[top, at] = True
            elif isinstance(vertex.work, OutWork) or not vertex.sources or vertex.wait is Wait.ANY:
                self._over[top, at] = False
            else:
                open_ = [source for source in vertex.sources if (source, at) not in self._over]
                if open_:
                    stack.extend(open_)
                    continue
                silent = all(self._over[source, at] for source in vertex.sources)
                self._over[top, at] = silent and any(self._failed(source, at) for source in vertex.sources)
            stack.pop()
        return self._over[name, at]

    def ended(self, name: str, at: At) -> bool:
        """Return whether an event of its own says that it has ended."""
        status = self._node(name, at).get("status")
        return status is not None and NodeStatus(status).final

    def _failed(self, name: str, at: At) -> bool:
        node = self._node(name, at)
        if node.get("status") == NodeStatus.FAILED:
            return bool(node.get("on_error", "fail") == "fail")
        return not self.ended(name, at) and self._over.get((name, at), False)

    def _node(self, name: str, at: At) -> Mapping[str, Any]:
        if isinstance(self.topology.vertices[name].work, OutWork):
            return {}
        return self.nodes.get(self.topology.path(name, at), {})

    def _join(self, vertex: Vertex, at: At, missing: list[str]) -> Waiting:
        data: dict[str, Any] = {
            "missing": missing,
            "arrived": [source for source in vertex.sources if source not in missing],
        }
        if vertex.wait is Wait.ANY:
            data["wait"] = "any"
        since = self.state.since.get((vertex.id, at)) if self.state else None
        if vertex.deadline is not None and since is not None:
            data["gives_up_at"] = since + vertex.deadline
        return self._waiting(Why.JOIN, vertex, at, data)

    def _waiting(self, why: Why, vertex: Vertex, at: At, data: Mapping[str, Any]) -> Waiting:
        node = "" if isinstance(vertex.work, OutWork) else vertex.id
        return Waiting(why, self.topology.path(vertex.id, at).removeprefix("$out"), node, data)

    # By kind of work -------------------------------------------------------------------------------------------

    def _work(self, vertex: Vertex, at: At) -> Iterator[Waiting]:
        match vertex.work:
            case ServiceWork():
                yield self._service(vertex, at, vertex.work)
            case EachWork():
                yield from self._each(vertex, at, vertex.work)
            case BranchWork():
                for side in self._sides(vertex, at, vertex.work):
                    yield from self._block(side, at)
            case RepeatWork():
                yield from self._block(vertex.work.body, (*at, self._round(vertex.id, at, vertex.work)))
            case PipelineWork():
                yield from self._block(vertex.work.body, at)
            case _:
                yield self._waiting(Why.FLOW, vertex, at, {})

    def _block(self, block: str, at: At) -> Iterator[Waiting]:
        out = self.topology.blocks[block].out
        yield from self.vertex(out, at)

    def _service(self, vertex: Vertex, at: At, work: ServiceWork) -> Waiting:
        node = self._node(vertex.id, at)
        data: dict[str, Any] = {"service": work.service, "major": self.topology.services[work.service].major}
        if node.get("status") == NodeStatus.STARTED:
            return self._waiting(
                Why.RUNNING, vertex, at, {**data, "since": node.get("started_at"), "attempt": node.get("attempt", 1)}
            )
        if node.get("status") == NodeStatus.RETRYING:
            retry = node.get("retry") or {}
            more = {"reason": retry.get("reason"), "delay": retry.get("delay"), "said_at": node.get("retrying_at")}
            attempts = {"attempt": retry.get("next_attempt"), "attempts": work.retry.attempts}
            return self._waiting(Why.RETRY, vertex, at, {**data, **more, **attempts})
        return self._waiting(Why.QUEUED, vertex, at, data)

    def _each(self, vertex: Vertex, at: At, work: EachWork) -> Iterator[Waiting]:
        loop = self.state.loops.get((vertex.id, at)) if self.state else None
        if loop is None or loop.opened is None:
            begun = self._positions(self.topology.path(vertex.id, at))
            if self.state is not None and not begun:
                yield self._waiting(Why.FLOW, vertex, at, {})
                return
            open_ = [index for index in begun if not self._body_over(work.body, (*at, index))]
            yield self._waiting(Why.LOOP, vertex, at, {"begun": len(begun), "open": open_[:_ITEMS]})
        else:
            open_ = [index for index in range(loop.dispatched) if index not in loop.items]
            count = len(loop.opened.items)
            yield self._waiting(
                Why.LOOP,
                vertex,
                at,
                {
                    "items": count,
                    "ended": len(loop.items),
                    "under_way": len(open_),
                    "not_begun": max(0, count - loop.dispatched),
                    "open": open_[:_ITEMS],
                },
            )
        for index in open_[:_ITEMS]:
            yield from self._block(work.body, (*at, index))

    def _body_over(self, body: str, at: At) -> bool:
        out = self.topology.vertices[self.topology.blocks[body].out]
        return bool(out.sources) and all(self.over(source, at) for source in out.sources)

    def _sides(self, vertex: Vertex, at: At, work: BranchWork) -> list[str]:
        """Return the side that is taken; both when that is unknown."""
        sides = [work.then, *([work.otherwise] if work.otherwise else [])]
        path = self.topology.path(vertex.id, at)
        begun = [side for side in sides if self._any(f"{path}.{side.rpartition('.')[2]}.")]
        if begun:
            return begun
        known = {name: self._known(key, at) for name, key in vertex.refs.items()}
        try:
            holds = work.condition.evaluate({name: value[0] for name, value in known.items() if value})
        except EvaluationError:
            return sides
        return [work.then] if holds is True else [work.otherwise] if work.otherwise else sides

    def _known(self, key: str, at: At) -> tuple[Any] | None:
        """Return the value of a context key in a tuple; None when the events do not tell it."""
        if key.startswith(":"):
            return (self.inputs[key[1:]],) if key[1:] in self.inputs else None
        loop, _, _ = key.rpartition(":")
        if loop in self.topology.vertices:
            return self._variable(self.topology.vertices[loop], key, at)
        vertex = self.topology.vertices.get(key)
        if vertex is None:
            return None
        node = self._node(key, at[: len(vertex.loops)])
        return (node["output"],) if "output" in node else None

    def _variable(self, loop: Vertex, key: str, at: At) -> tuple[Any] | None:
        """Return the item of a loop's body, or its position, in a tuple; None when it is unknown."""
        if not isinstance(loop.work, EachWork):
            return None
        index = at[len(loop.loops)]
        if key == loop.work.index:
            return (index,)
        known = self.state.loops.get((loop.id, at[: len(loop.loops)])) if self.state else None
        return (known.opened.items[index],) if known and known.opened else None

    def _round(self, name: str, at: At, work: RepeatWork) -> int:
        """Return the current round of a loop. Where a round ends, the next one begins at once, without an event."""
        last = max(self._positions(self.topology.path(name, at)), default=0)
        return last + 1 if last + 1 < work.max and self._body_over(work.body, (*at, last)) else last

    def _positions(self, path: str) -> list[int]:
        pattern = re.compile(re.escape(path) + r"\[(\d+)\]")
        return sorted({int(match[1]) for printed in self.nodes if (match := pattern.match(printed))})

    def _any(self, prefix: str) -> bool:
        return any(path.startswith(prefix) for path in self.nodes)
