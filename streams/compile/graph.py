"""Edges between the nodes of one block: an order, a cycle if there is one, and the transitive reduction."""

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter


class Cycle(ValueError):
    """Nodes wait for each other; `chain` names them, the first one again at the end."""

    def __init__(self, chain: list[str]) -> None:
        self.chain = chain
        super().__init__(f"cycle: {' → '.join(chain)}")


@dataclass(frozen=True)
class Graph:
    """The nodes of a block in an order in which each comes after what it needs, and what stays of its edges."""

    order: tuple[str, ...]
    sources: Mapping[str, tuple[str, ...]]
    """Edges into each node after the reduction."""
    guaranteed: Mapping[str, frozenset[str]]
    """Nodes whose end is known for certain when a node is reached."""


def graph(needs: Mapping[str, frozenset[str]], any_of: frozenset[str]) -> Graph:
    """The graph of nodes that need other nodes of the same block. Nodes in `any_of` go on with the first of their edges.

    An edge is left out where another one implies it: the value rides in the context. A node that waits for any of its edges
    implies only what all of them imply. Raises Cycle.
    """
    try:
        sorter = TopologicalSorter({node: sorted(before) for node, before in needs.items()})
        ready = _stable(sorter, list(needs))
    except CycleError as error:
        raise Cycle(list(reversed(error.args[1]))) from None
    guaranteed: dict[str, frozenset[str]] = {}
    sources: dict[str, tuple[str, ...]] = {}
    for node in ready:
        edges = [
            one
            for one in sorted(needs[node], key=ready.index)
            if not any(one in guaranteed[other] for other in needs[node] if other != one)
        ]
        sources[node] = tuple(edges)
        known = [guaranteed[one] | {one} for one in edges]
        if node in any_of:
            guaranteed[node] = frozenset.intersection(*known) if known else frozenset()
        else:
            guaranteed[node] = frozenset().union(*known)
    return Graph(tuple(ready), sources, guaranteed)


def _stable(sorter: "TopologicalSorter[str]", names: list[str]) -> list[str]:
    """A topological order that keeps the file's order where it can."""
    rank = {name: position for position, name in enumerate(names)}
    sorter.prepare()
    order: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=rank.__getitem__)
        order.extend(ready)
        sorter.done(*ready)
    return order
