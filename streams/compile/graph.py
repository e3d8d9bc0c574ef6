"""Order the nodes of one block, find a cycle, and reduce the edges transitively."""

import functools
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from streams.errors import Blame, MillraceError


class Cycle(MillraceError, ValueError):
    """Raised when nodes wait for each other; `chain` names them, the first one again at the end."""

    blame = Blame.AUTHOR

    def __init__(self, chain: list[str]) -> None:
        self.chain = chain
        super().__init__(f"cycle: {' → '.join(chain)}")


@dataclass(frozen=True)
class Graph:
    """The nodes of a block in topological order, and the reduced edges."""

    order: tuple[str, ...]
    sources: Mapping[str, tuple[str, ...]]
    """Edges into each node after the reduction."""
    known: Mapping[str, int]
    """Nodes that have certainly ended when a node has ended, itself included: bit n stands for the nth of `order`."""
    partial: frozenset[str]
    """Nodes that may go on before all of their edges have delivered."""

    def implied(self, node: str) -> frozenset[str]:
        """Return the nodes that have certainly ended when this one has, itself included."""
        bits = self.known[node]
        return frozenset(name for position, name in enumerate(self.order) if bits >> position & 1)


def graph(needs: Mapping[str, frozenset[str]], partial: frozenset[str]) -> Graph:
    """Build the graph of the nodes of a block. `needs` maps each node to those it reads; nodes in `partial` go on with some edges.

    An edge is left out where another one implies it, because the value travels in the context. A partial node implies only
    what each of its edges implies. Raises Cycle.
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
        implied = functools.reduce(operator.or_, (known[source] & ~(1 << rank[source]) for source in before), 0)
        edges = tuple(source for source in before if not implied >> rank[source] & 1)
        sources[node] = edges
        join = operator.and_ if node in partial else operator.or_
        certain = functools.reduce(join, (known[source] for source in edges)) if edges else 0
        known[node] = certain | 1 << rank[node]
    return Graph(tuple(order), sources, known, partial)


def _stable(sorter: "TopologicalSorter[str]", names: list[str]) -> list[str]:
    """Return a topological order that keeps the file's order where it can."""
    rank = {name: position for position, name in enumerate(names)}
    sorter.prepare()
    order: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=rank.__getitem__)
        order.extend(ready)
        sorter.done(*ready)
    return order
