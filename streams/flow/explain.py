"""Why a run is not over: what each place in it waits for, from its events and from flow's state. Pure; the live part is added later."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
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
"""Places that one answer tells."""
_ITEMS = 3
"""Items of a loop that are looked into."""


class Why(StrEnum):
    """What kind of thing is waited for."""

    JOIN = "join"  # other nodes must end first
    LOOP = "loop"  # items of a loop must end
    QUEUED = "queued"  # a task waits for a worker
    RUNNING = "running"  # a worker is at it
    RETRY = "retry"  # it is tried again at a time
    BEGIN = "begin"  # flow has not taken its request yet
    FLOW = "flow"  # all that is needed is there: flow has to take it


@dataclass(frozen=True)
class Waiting:
    """One place that waits. `path` is the printed place, "" for the end of the run; `data` is what there is to say."""

    why: Why
    path: str
    node: str
    data: Mapping[str, Any] = field(default_factory=dict)


def waits(
    topology: Topology, nodes: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any], state: RunState | None
) -> list[Waiting]:
    """Every place that the end of a run waits for, what is waited for last first; at most MOST.

    `nodes`: what clients see of each node execution, by path; `given`: the input; `state`: flow's, None where it is not known.
    """
    found: list[Waiting] = []
    for one in _Look(topology, nodes, given, state).vertex("$out", ()):
        found.append(one)
        if len(found) >= MOST:
            break
    return found


class _Look:
    def __init__(
        self,
        topology: Topology,
        nodes: Mapping[str, Mapping[str, Any]],
        given: Mapping[str, Any],
        state: RunState | None,
    ) -> None:
        self.topology, self.nodes, self.given, self.state = topology, nodes, given, state
        self._seen: set[tuple[str, At]] = set()
        self._over: dict[tuple[str, At], bool] = {}

    def vertex(self, name: str, at: At) -> Iterator[Waiting]:
        """Why a vertex has not ended: first it, then what it waits for. Nothing when it has, or was looked at already."""
        waiting = [(name, at)]
        while waiting:
            name, at = waiting.pop()
            if (name, at) in self._seen:
                continue
            self._seen.add((name, at))
            if self.over(name, at):
                continue
            vertex = self.topology.vertices[name]
            missing = [one for one in vertex.sources if not self.over(one, at)]
            if missing:
                if len(vertex.sources) > 1:
                    yield self._join(vertex, at, missing)
                waiting.extend((one, at) for one in reversed(missing))
            else:
                yield from self._work(vertex, at)

    def over(self, name: str, at: At) -> bool:
        """Whether a vertex has ended, or has failed without a word because what it needs did."""
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
                open_ = [one for one in vertex.sources if (one, at) not in self._over]
                if open_:
                    stack.extend(open_)
                    continue
                silent = all(self._over[one, at] for one in vertex.sources)
                self._over[top, at] = silent and any(self._failed(one, at) for one in vertex.sources)
            stack.pop()
        return self._over[name, at]

    def ended(self, name: str, at: At) -> bool:
        """Whether its own event says that it has ended."""
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
        data: dict[str, Any] = {"missing": missing, "arrived": [one for one in vertex.sources if one not in missing]}
        if vertex.wait is Wait.ANY:
            data["wait"] = "any"
        since = self.state.since.get((vertex.id, at)) if self.state else None
        if vertex.deadline is not None and since is not None:
            data["gives_up_at"] = since + vertex.deadline
        return self._told(Why.JOIN, vertex, at, data)

    def _told(self, why: Why, vertex: Vertex, at: At, data: Mapping[str, Any]) -> Waiting:
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
                yield self._told(Why.FLOW, vertex, at, {})

    def _block(self, block: str, at: At) -> Iterator[Waiting]:
        out = self.topology.blocks[block].out
        found = list(self.vertex(out, at))
        yield from found

    def _service(self, vertex: Vertex, at: At, work: ServiceWork) -> Waiting:
        node = self._node(vertex.id, at)
        data: dict[str, Any] = {"service": work.service, "major": self.topology.services[work.service].major}
        if node.get("status") == NodeStatus.STARTED:
            return self._told(
                Why.RUNNING, vertex, at, {**data, "since": node.get("started_at"), "attempt": node.get("attempt", 1)}
            )
        if node.get("status") == NodeStatus.RETRYING:
            retry = node.get("retry") or {}
            more = {"reason": retry.get("reason"), "delay": retry.get("delay"), "said_at": node.get("retrying_at")}
            attempts = {"attempt": retry.get("next_attempt"), "attempts": work.retry.attempts}
            return self._told(Why.RETRY, vertex, at, {**data, **more, **attempts})
        return self._told(Why.QUEUED, vertex, at, data)

    def _each(self, vertex: Vertex, at: At, work: EachWork) -> Iterator[Waiting]:
        loop = self.state.loops.get((vertex.id, at)) if self.state else None
        if loop is None or loop.opened is None:
            begun = self._positions(self.topology.path(vertex.id, at))
            if self.state is not None and not begun:
                yield self._told(Why.FLOW, vertex, at, {})
                return
            open_ = [index for index in begun if not self._body_over(work.body, (*at, index))]
            yield self._told(Why.LOOP, vertex, at, {"begun": len(begun), "open": open_[:_ITEMS]})
        else:
            open_ = [index for index in range(loop.dispatched) if index not in loop.items]
            count = len(loop.opened.items)
            yield self._told(
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
        return bool(out.sources) and all(self.over(one, at) for one in out.sources)

    def _sides(self, vertex: Vertex, at: At, work: BranchWork) -> list[str]:
        """The side that is taken; both where that cannot be said."""
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
        """The value of a context key as far as events tell it."""
        if key.startswith(":"):
            return (self.given[key[1:]],) if key[1:] in self.given else None
        loop, _, _ = key.rpartition(":")
        if loop in self.topology.vertices:
            return self._variable(self.topology.vertices[loop], key, at)
        vertex = self.topology.vertices.get(key)
        if vertex is None:
            return None
        node = self._node(key, at[: len(vertex.loops)])
        return (node["output"],) if "output" in node else None

    def _variable(self, loop: Vertex, key: str, at: At) -> tuple[Any] | None:
        """The item, or its position, that a loop's body is at."""
        if not isinstance(loop.work, EachWork):
            return None
        index = at[len(loop.loops)]
        if key == loop.work.index:
            return (index,)
        known = self.state.loops.get((loop.id, at[: len(loop.loops)])) if self.state else None
        return (known.opened.items[index],) if known and known.opened else None

    def _round(self, name: str, at: At, work: RepeatWork) -> int:
        """The round that it is in: whoever ends a round begins the next one in the same breath."""
        last = max(self._positions(self.topology.path(name, at)), default=0)
        return last + 1 if last + 1 < work.max and self._body_over(work.body, (*at, last)) else last

    def _positions(self, path: str) -> list[int]:
        pattern = re.compile(re.escape(path) + r"\[(\d+)\]")
        return sorted({int(found[1]) for one in self.nodes if (found := pattern.match(one))})

    def _any(self, prefix: str) -> bool:
        return any(path.startswith(prefix) for path in self.nodes)
