"""Who comes after whom in an older pipeline, and on which side of which branch."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Side = tuple[str, str]
"""A branch and `then` or `else`."""
Item = tuple[int, Mapping[str, Any]]
"""A node and its position in the file."""
Regions = Mapping[str, Mapping[str, Item]]
"""The nodes that stand on one side of a branch only, by side."""
SIDES = ("then", "else")

LOOP_END = "loopEnd"
"""Where the nodes of a loop lead to at last; it is no node."""

_READY = re.compile(r"\s*([\w-]+)\.finished\s*")


@dataclass(frozen=True)
class Edge:
    """From a node to one after it; `side` for a branch."""

    source: str
    target: str
    side: str = ""


def edges(nodes: Sequence[Mapping[str, Any]]) -> list[Edge]:
    """The edges of a list of nodes; to what is no node too."""
    made = []
    for node in nodes:
        source = str(node.get("id"))
        both = following(node.get("next"))
        sides = [side for side in ("then", "else") if side in node] if node.get("type") == "branch" else []
        for side in sides:
            own = following(node[side].get("next") if isinstance(node[side], dict) else node[side])
            made += [Edge(source, target, side) for target in own or both]
        if not sides:
            made += [Edge(source, target) for target in both]
    return made


def following(value: Any) -> list[str]:
    """What stands behind `next`: a name or several."""
    found = value if isinstance(value, list) else [value]
    return [one for one in found if isinstance(one, str)]


def guards(name: str, starts: Iterable[str], all_edges: Sequence[Edge]) -> frozenset[Side]:
    """The sides of branches without which a node is never reached."""
    sides = {(edge.source, edge.side) for edge in all_edges if edge.side}
    return frozenset(side for side in sides if name not in _reached(starts, all_edges, without=side))


def _reached(starts: Iterable[str], all_edges: Sequence[Edge], without: Side) -> set[str]:
    found, left = set[str](), list(starts)
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left += [edge.target for edge in all_edges if edge.source == one and (one, edge.side) != without]
    return found


def exclusive(ways: Sequence[frozenset[Side]]) -> bool:
    """Whether at most one of these can happen in a run: every two are on different sides of a branch."""
    return all(
        any((branch, "else" if side == "then" else "then") in other for branch, side in one)
        for position, one in enumerate(ways)
        for other in ways[position + 1 :]
    )


def ready(text: str) -> tuple[list[str], str] | None:
    """`a.finished or b.finished` → the nodes and the word between them; None for anything else."""
    for word in ("or", "and"):
        found = [_READY.fullmatch(one) for one in re.split(rf"\b{word}\b", text)]
        if all(found):
            return [one[1] for one in found if one], word if len(found) > 1 else "and"
    return None


def ordered(names: Sequence[str], all_edges: Sequence[Edge]) -> tuple[list[str], list[str]]:
    """The nodes, each after those before it, and those that wait for each other in a circle."""
    left, done = list(names), list[str]()
    while left:
        free = [one for one in left if not any(edge.target == one and edge.source in left for edge in all_edges)]
        if not free:
            return done, left
        done += free
        left = [one for one in left if one not in free]
    return done, []
