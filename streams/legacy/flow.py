"""The edges of a legacy pipeline, their order, and the sides of branches that guard its nodes."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Side = tuple[str, str]
"""A branch and `then` or `else`."""
Item = tuple[int, Mapping[str, Any]]
"""A node and its position in the file."""
Regions = Mapping[str, Mapping[str, Item]]
"""The nodes that are on one side of a branch only, by side."""
SIDES = ("then", "else")

LOOP_END = "loopEnd"
"""The target of the last nodes of a loop; it does not name a node."""

_READY = re.compile(r"\s*([\w-]+)\.finished\s*")


@dataclass(frozen=True)
class Edge:
    """An edge from a node to a later one; `side` is set for a branch."""

    source: str
    target: str
    side: str = ""


def edges(nodes: Sequence[Mapping[str, Any]]) -> list[Edge]:
    """Return the edges of a list of nodes, including those to unknown targets."""
    collected = []
    for node in nodes:
        source = str(node.get("id"))
        both = following(node.get("next"))
        sides = [side for side in ("then", "else") if side in node] if node.get("type") == "branch" else []
        for side in sides:
            own = following(node[side].get("next") if isinstance(node[side], dict) else node[side])
            collected += [Edge(source, target, side) for target in own or both]
        if not sides:
            collected += [Edge(source, target) for target in both]
    return collected


def following(value: Any) -> list[str]:
    """Return the names behind `next`, which is a name or a list of names."""
    targets = value if isinstance(value, list) else [value]
    return [target for target in targets if isinstance(target, str)]


def guards(name: str, starts: Iterable[str], all_edges: Sequence[Edge]) -> frozenset[Side]:
    """Return the sides of branches without which a node is never reached."""
    sides = {(edge.source, edge.side) for edge in all_edges if edge.side}
    return frozenset(side for side in sides if name not in _reached(starts, all_edges, without=side))


def _reached(starts: Iterable[str], all_edges: Sequence[Edge], without: Side) -> set[str]:
    reached, pending = set[str](), list(starts)
    while pending:
        node = pending.pop()
        if node not in reached:
            reached.add(node)
            pending += [edge.target for edge in all_edges if edge.source == node and (node, edge.side) != without]
    return reached


def exclusive(ways: Sequence[frozenset[Side]]) -> bool:
    """Return whether a run takes at most one of these ways, since every two are on different sides of a branch."""
    return all(
        any((branch, "else" if side == "then" else "then") in other for branch, side in way)
        for position, way in enumerate(ways)
        for other in ways[position + 1 :]
    )


def ready(text: str) -> tuple[list[str], str] | None:
    """Split `a.finished or b.finished` into the nodes and the word between them; None for anything else."""
    for word in ("or", "and"):
        matches = [_READY.fullmatch(part) for part in re.split(rf"\b{word}\b", text)]
        if all(matches):
            return [match[1] for match in matches if match], word if len(matches) > 1 else "and"
    return None


def ordered(names: Sequence[str], all_edges: Sequence[Edge]) -> tuple[list[str], list[str]]:
    """Return the nodes in topological order, and those that wait for each other in a cycle."""
    left, done = list(names), list[str]()
    while left:
        free = [name for name in left if not any(edge.target == name and edge.source in left for edge in all_edges)]
        if not free:
            return done, left
        done += free
        left = [name for name in left if name not in free]
    return done, []
