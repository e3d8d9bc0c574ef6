"""Convert the nodes of a legacy pipeline, or of one of its loops, each after those that it reads."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from streams.legacy.block import Block
from streams.legacy.branch import Branch
from streams.legacy.flow import LOOP_END, SIDES, Edge, Item, Regions, edges, guards, ordered
from streams.legacy.node import LegacyNode
from streams.legacy.references import Outputs

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
"""The keys of a node beside the common ones, by its type."""


def convert_nodes(block: Block, nodes: Sequence[Any]) -> None:
    """Convert a list of nodes into a block, and report what has no counterpart."""
    by_id: dict[str, Item] = {}
    for number, node in enumerate(nodes):
        if not isinstance(node, dict) or not isinstance(node.get("id"), str) or not node["id"]:
            block.refuse((number,), "", "a node is an object with an id")
        elif node["id"] in by_id:
            block.refuse((number, "id"), node["id"], "another node has this id")
        else:
            by_id[node["id"]] = (number, node)
    block.edges = [edge for edge in edges([node for _, node in by_id.values()]) if _known(block, edge, by_id)]
    order, cycle = ordered(list(by_id), block.edges)
    for identity in cycle:
        problem = f"nodes wait for each other: {', '.join(cycle)}"
        block.refuse((by_id[identity][0],), identity, problem, "use repeat for a loop")
    _convert_ordered(block, {identity: by_id[identity] for identity in order})


def _convert_ordered(block: Block, items: Mapping[str, Item]) -> None:
    """Convert nodes in this order; those on one side of a branch only go into a block of the branch."""
    targets = {edge.target for edge in block.edges if edge.source in items}
    starts = [identity for identity in items if identity not in targets]
    inside = [edge for edge in block.edges if edge.source in items and edge.target in items]
    guarded = {identity: guards(identity, starts, inside) for identity in items}
    nested: set[str] = set()
    for identity, item in items.items():
        if identity in nested:
            continue
        regions = {
            side: {other: items[other] for other, sides in guarded.items() if (identity, side) in sides}
            for side in SIDES
        }
        nested |= regions["then"].keys() | regions["else"].keys()
        _convert_node(block, identity, *item, regions)


def _known(block: Block, edge: Edge, by_id: Mapping[str, Item]) -> bool:
    """Return whether an edge leads to a node; report it when it leads nowhere."""
    if edge.target in by_id:
        return True
    if edge.target != LOOP_END:
        number = by_id[edge.source][0]
        block.refuse((number, *((edge.side,) if edge.side else ()), "next"), edge.source, f"no node {edge.target!r}")
    return False


def _convert_node(block: Block, identity: str, number: int, data: Mapping[str, Any], regions: Regions) -> None:
    kind = data.get("type", "node")
    if not isinstance(kind, str) or kind not in _KEYS:
        block.refuse((number, "type"), identity, f"{kind!r} has no counterpart", f"there is {', '.join(_KEYS)}")
        block.scope.nodes[identity] = Outputs(identity)
        return
    for key in data.keys() - _COMMON - _KEYS[kind]:
        block.refuse((number, key), identity, f"{key!r} has no counterpart in a {kind}")
    params = data.get("params", {})
    node = LegacyNode(block, identity, number, data, block.scope.own(params if isinstance(params, dict) else {}))
    if kind == "branch":
        Branch(node, regions, _convert_ordered).convert()
    elif kind == "loop":
        node.loop(convert_nodes)
    elif kind != "entry":
        _SIMPLE[kind](node)


_SIMPLE: Mapping[str, Callable[[LegacyNode], None]] = {
    "end": LegacyNode.end,
    "node": LegacyNode.node,
    "service": LegacyNode.service,
    "http": LegacyNode.http,
}
"""What converts a node without nodes inside, by its type."""
