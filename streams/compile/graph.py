"""Edges between the nodes of one block: an order, a cycle if there is one, and the transitive reduction."""

import functools
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from streams.errors import Blame, MillraceError


class Cycle(MillraceError, ValueError):
    """Nodes wait for each other; `chain` names them, the first one again at the end."""

    blame = Blame.AUTHOR

    def __init__(self, chain: list[str]) -> None:
        self.chain = chain
        super().__init__(f"cycle: {' → '.join(chain)}")


@dataclass(frozen=True)
class Graph:
    """The nodes of a block in an order in which each comes after what it needs, and what stays of its edges."""

    order: tuple[str, ...]
    sources: Mapping[str, tuple[str, ...]]
    """Edges into each node after the reduction."""
    known: Mapping[str, int]
    """Nodes that have ended for certain when a node has ended, itself included: bit n stands for the nth of `order`."""
    partial: frozenset[str]
    """Nodes that may go on before all of their edges have delivered."""

    def implied(self, node: str) -> frozenset[str]:
        """Nodes that have ended for certain when this one has, itself included."""
        bits = self.known[node]
        return frozenset(name for position, name in enumerate(self.order) if bits >> position & 1)


def graph(needs: Mapping[str, frozenset[str]], partial: frozenset[str]) -> Graph:
    """The graph of nodes that need other nodes of the same block. Nodes in `partial` go on with a part of their edges.

    An edge is left out where another one implies it: the value rides in the context. A partial node implies only what each
    of its edges implies. Raises Cycle.
    """
    try:
        sorter = TopologicalSorter({node: sorted(before) for node, before in needs.items()})
        order = _stable(sorter, list(needs))
    except CycleError as error:
        raise Cycle(list(reversed(error.args[1]))) from None
    rank = {name: position for position, name in enumerate(order)}
    known: dict[str, int] = {}
    sources: dict[str, tuple[str, ...]] = {}
    for node in order:
        before = sorted(needs[node], key=rank.__getitem__)
        implied = functools.reduce(operator.or_, (known[one] & ~(1 << rank[one]) for one in before), 0)
        edges = tuple(one for one in before if not implied >> rank[one] & 1)
        sources[node] = edges
        join = operator.and_ if node in partial else operator.or_
        certain = functools.reduce(join, (known[one] for one in edges)) if edges else 0
        known[node] = certain | 1 << rank[node]
    return Graph(tuple(order), sources, known, partial)


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
