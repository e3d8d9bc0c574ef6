"""Which services may come right after which: whom a service's agent sends tasks to, without flow in between."""

from collections.abc import Iterable, Iterator

from streams.language.topology import (
    BranchWork,
    EachWork,
    OutWork,
    PipelineWork,
    RepeatWork,
    ServiceWork,
    Topology,
    ValueWork,
    Vertex,
)

Spot = tuple[str, bool]
"""A vertex that is reached, and whether by a failure that passes through to the node that handles it."""


def followers(topologies: Iterable[Topology]) -> dict[str, frozenset[str]]:
    """Return for each used service the services that its agent may send a task to. What goes through flow is left out."""
    services: dict[str, set[str]] = {}
    for topology in topologies:
        ways = _Ways(topology)
        for vertex in topology.vertices.values():
            if isinstance(vertex.work, ServiceWork):
                services.setdefault(vertex.work.service, set()).update(ways.after(vertex))
    return {service: frozenset(after) for service, after in sorted(services.items())}


class _Ways:
    """Every way that a run may go on inside one `advance`, whatever its values are."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.skips: dict[str, bool] = {}

    def after(self, vertex: Vertex) -> set[str]:
        """Return the services whose tasks may be sent when the work of a vertex has ended."""
        services: set[str] = set()
        seen: set[Spot] = set()
        waiting = [*self._ended(vertex)]
        while waiting:
            spot = waiting.pop()
            if spot in seen:
                continue
            seen.add(spot)
            reached, failed = self.topology.vertices[spot[0]], spot[1]
            if isinstance(reached.work, OutWork):
                waiting += self._end_of_block(reached, failed)
            elif failed:
                waiting += self._on(reached, failed=True)
            elif isinstance(reached.work, ServiceWork):
                services.add(reached.work.service)
                waiting += self._not_begun(reached)
            else:
                waiting += self._begun(reached)
        return services

    def _ended(self, vertex: Vertex) -> Iterator[Spot]:
        """Follow a vertex that ended with a value, or failed."""
        yield from self._on(vertex, failed=False)
        yield from self._on(vertex, failed=vertex.on_error.action == "fail")

    def _on(self, vertex: Vertex, *, failed: bool) -> Iterator[Spot]:
        """Follow the edges; what enters a join goes to flow."""
        for edge in vertex.targets:
            if not self.topology.vertices[edge.target].joins:
                yield edge.target, failed

    def _begun(self, vertex: Vertex) -> Iterator[Spot]:
        work = vertex.work
        match work:
            case BranchWork():
                for block in (work.then, work.otherwise):
                    yield from self._into(block) if block is not None else ()
            case RepeatWork() | PipelineWork():
                yield from self._into(work.body)
            case EachWork() | ValueWork():  # a list of none ends at once; any other is opened in flow
                yield from self._on(vertex, failed=False)
        yield from self._not_begun(vertex)

    def _not_begun(self, vertex: Vertex) -> Iterator[Spot]:
        """Follow a vertex that was skipped, or failed before its work began: an expression may fail on any values."""
        if self._may_skip(vertex):
            yield from self._on(vertex, failed=False)
        yield from self._on(vertex, failed=vertex.on_error.action == "fail")

    def _into(self, block: str) -> Iterator[Spot]:
        for edge in self.topology.blocks[block].entry:
            if not self.topology.vertices[edge.target].joins:
                yield edge.target, False

    def _end_of_block(self, out: Vertex, failed: bool) -> Iterator[Spot]:
        owner = self.topology.vertices.get(self.topology.blocks[out.block].owner)
        if owner is None or isinstance(owner.work, EachWork):
            return  # flow ends runs and collects items
        if not failed:
            yield from self._on(owner, failed=False)
            if isinstance(owner.work, RepeatWork):
                yield from self._into(owner.work.body)
        yield from self._on(owner, failed=owner.on_error.action == "fail")

    def _may_skip(self, vertex: Vertex) -> bool:
        """Return whether a vertex may be skipped: by its own condition, or because what it strictly reads was."""
        if vertex.id not in self.skips:
            self.skips[vertex.id] = False
            missing = frozenset(name for name, key in vertex.refs.items() if self._may_lack(key))
            branch = isinstance(vertex.work, BranchWork) and vertex.work.otherwise is None
            self.skips[vertex.id] = vertex.when is not None or branch or not vertex.needs.met(missing)
        return self.skips[vertex.id]

    def _may_lack(self, key: str) -> bool:
        vertex = self.topology.vertices.get(key)
        return vertex is not None and (vertex.on_error.action == "skip" or self._may_skip(vertex))
