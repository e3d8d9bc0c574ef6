"""The nodes of an older pipeline, or of one of its loops, as a block of ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.contracts import Contract
from streams.legacy import names
from streams.legacy.branch import Branch
from streams.legacy.flow import LOOP_END, SIDES, Edge, Item, Regions, edges, guards, ordered
from streams.legacy.node import One
from streams.legacy.references import Outputs, Scope
from streams.legacy.report import Finding, pointer

Pointer = tuple[str | int, ...]

_COMMON = frozenset({"id", "type", "input", "params", "next", "ready", "before", "after", "summary", "description"})
_KEYS: Mapping[str, frozenset[str]] = {
    "entry": frozenset({"api"}),
    "end": frozenset(),
    "node": frozenset(),
    "service": frozenset({"url", "service", "name"}),
    "http": frozenset({"url", "verb", "method", "headers", "body"}),
    "branch": frozenset({"if", "then", "else"}),
    "loop": frozenset({"items", "nodes", "collect"}),
}


@dataclass
class Shared:
    """What all blocks of one import share."""

    contracts: Mapping[str, Contract]
    services: Mapping[str, str]
    findings: list[Finding] = field(default_factory=list)
    origins: dict[tuple[str | int, ...], tuple[Pointer, str]] = field(default_factory=dict)
    """Place in our file → where it came from, and the id of its node."""
    taken: set[str] = field(default_factory=set)


@dataclass
class Block:
    """One list of nodes while it is turned."""

    shared: Shared
    at: Pointer
    place: tuple[str | int, ...]
    scope: Scope
    nodes: dict[str, Any] = field(default_factory=dict)
    output: dict[str, str] = field(default_factory=dict)
    """Fields of the output, for a pipeline: what its ends name."""

    edges: list[Edge] = field(default_factory=list)

    def convert(self, given: Sequence[Any]) -> None:
        """Turn the nodes, each after those that it reads."""
        by_id: dict[str, tuple[int, Mapping[str, Any]]] = {}
        for number, node in enumerate(given):
            if not isinstance(node, dict) or not isinstance(node.get("id"), str) or not node["id"]:
                self.refuse((number,), "", "a node is an object with an id")
            elif node["id"] in by_id:
                self.refuse((number, "id"), node["id"], "another node has this id")
            else:
                by_id[node["id"]] = (number, node)
        self.edges = [one for one in edges([node for _, node in by_id.values()]) if self._known(one, by_id)]
        order, circle = ordered(list(by_id), self.edges)
        for one in circle:
            text = f"nodes wait for each other: {', '.join(circle)}"
            self.refuse((by_id[one][0],), one, text, "use repeat for a loop")
        self.turn({one: by_id[one] for one in order})

    def turn(self, items: Mapping[str, Item]) -> None:
        """Turn these nodes, in this order; what stands on one side of a branch only goes into a block of the branch."""
        targets = {edge.target for edge in self.edges if edge.source in items}
        starts = [one for one in items if one not in targets]
        inside = [edge for edge in self.edges if edge.source in items and edge.target in items]
        ways = {one: guards(one, starts, inside) for one in items}
        nested: set[str] = set()
        for one, item in items.items():
            if one in nested:
                continue
            regions = {
                side: {other: items[other] for other, way in ways.items() if (one, side) in way} for side in SIDES
            }
            nested |= regions["then"].keys() | regions["else"].keys()
            self._node(one, *item, regions)

    def refuse(self, at: Pointer, node: str, problem: str, hint: str = "") -> None:
        """Report what has no counterpart and go on."""
        self.shared.findings.append(Finding(pointer(*self.at, *at), node, problem, hint))

    def _known(self, edge: Edge, by_id: Mapping[str, tuple[int, Any]]) -> bool:
        if edge.target in by_id:
            return True
        if edge.target != LOOP_END:
            number = by_id[edge.source][0]
            self.refuse((number, *((edge.side,) if edge.side else ()), "next"), edge.source, f"no node {edge.target!r}")
        return False

    # One node --------------------------------------------------------------------------------------------------

    def _node(self, identity: str, number: int, node: Mapping[str, Any], regions: Regions) -> None:
        kind = node.get("type", "node")
        if not isinstance(kind, str) or kind not in _KEYS:
            self.refuse((number, "type"), identity, f"{kind!r} has no counterpart", f"there is {', '.join(_KEYS)}")
            self.scope.nodes[identity] = Outputs(identity)
            return
        for key in node.keys() - _COMMON - _KEYS[kind]:
            self.refuse((number, key), identity, f"{key!r} has no counterpart in a {kind}")
        params = node.get("params", {})
        one = One(self, identity, number, node, self.scope.own(params if isinstance(params, dict) else {}))
        if kind == "branch":
            Branch(one, regions).turn()
        elif kind != "entry":
            getattr(one, kind)()

    def name(self, identity: str, more: str = "node") -> str:
        """A free name for a node."""
        made = names.name(identity, self.shared.taken, more)
        self.shared.taken.add(made)
        return made

    def add(self, name: str, node: dict[str, Any], at: Pointer, identity: str) -> None:
        """Put a node into the block, and remember where it came from."""
        self.nodes[name] = node
        self.shared.origins[(*self.place, "nodes", name)] = ((*self.at, *at), identity)

    def predecessors(self, identity: str) -> list[Edge]:
        """The edges into a node."""
        return [edge for edge in self.edges if edge.target == identity]
