"""Prune contexts: an edge carries only keys that something downstream still reads, and each key travels by one edge."""

import functools
import operator
from collections.abc import Iterable

import msgspec

from streams.compile.graph import Graph
from streams.compile.keys import Keys
from streams.language import template
from streams.language.topology import OUT, Block, EachWork, Edge, PipelineWork, RepeatWork, Vertex, Work, vertex_id


class ContextPruning:
    """The pass over a whole pipeline that fills in edges, the keys carried past a node's work, and which failures are fatal.

    Sets of keys are numbers here, one bit a key, because a long pipeline has as many sets as keys.
    """

    def __init__(
        self, vertices: dict[str, Vertex], blocks: dict[str, Block], graphs: dict[str, Graph], inputs: frozenset[str]
    ) -> None:
        self.vertices, self.blocks, self.graphs = vertices, blocks, graphs
        self.keys = Keys()
        self.inputs = self.keys.bits(inputs)
        self.known_in: dict[str, int] = {}
        self.known_out: dict[str, int] = {}
        self.targets: dict[str, list[str]] = {name: [] for name in vertices}
        self.bodies: dict[str, list[str]] = {}
        self.reads: dict[str, int] = {}
        self.needs_in: dict[str, int] = {}
        self.carried_keys: dict[str, int] = {}
        self.carried: dict[tuple[str, str], int] = {}
        self.brought: dict[str, dict[str, int]] = {}
        self.fatal: dict[str, bool] = {}
        for vertex in vertices.values():
            for source in vertex.sources:
                self.targets[source].append(vertex.id)
        for name, block in blocks.items():
            self.bodies.setdefault(block.owner, []).append(name)

    def apply(self) -> tuple[dict[str, Vertex], dict[str, Block]]:
        """Return the vertices and blocks with their edges."""
        outermost_first = self._outermost_first()
        for block in outermost_first:
            self._known(block)
        for block in reversed(outermost_first):
            self.reads[block] = self._all_reads(block)
        for block in outermost_first:
            self._needs(block)
        vertices = {name: self._finished(vertex) for name, vertex in self.vertices.items()}
        blocks = {name: msgspec.structs.replace(block, entry=self._entry(name)) for name, block in self.blocks.items()}
        return vertices, blocks

    def _outermost_first(self) -> list[str]:
        depth = {"": 0}

        def deep(block: str) -> int:
            if block not in depth:
                depth[block] = 1 + deep(self.vertices[self.blocks[block].owner].block)
            return depth[block]

        return sorted(self.blocks, key=deep)

    def _known(self, block: str) -> None:
        """Compute the keys that are known, as a value or as skipped, when each vertex of a block begins and when it has ended."""
        on_entry = self._on_entry(block)
        for name in self.graphs[block].order:
            vertex = self.vertices[vertex_id(block, name)]
            before = [self.known_out[source] for source in vertex.sources]
            self.known_in[vertex.id] = _union([on_entry, *before])
            certain = on_entry | functools.reduce(operator.and_, before) if before else on_entry
            ended = certain if vertex.partial else self.known_in[vertex.id]
            self.known_out[vertex.id] = ended | self.keys.bit(vertex.id)

    def _on_entry(self, block: str) -> int:
        """Return the keys that are known when a block begins."""
        owner = self.blocks[block].owner
        if not owner:
            return self.inputs
        return self.known_in[owner] | self._variables(self.vertices[owner].work)

    def _all_reads(self, block: str) -> int:
        """Return the keys that a block reads and does not produce; needs those of its inner blocks."""
        own = [self.vertices[vertex_id(block, name)] for name in self.graphs[block].order]
        read = _union(self.keys.bits(vertex.reads) | self._inside(vertex) for vertex in own)
        return read & ~self.keys.bits(vertex.id for vertex in own)

    def _inside(self, vertex: Vertex) -> int:
        """Return the keys that the blocks of a vertex read from around it."""
        return _union(self.reads[body] for body in self.bodies.get(vertex.id, ())) & ~self._variables(vertex.work)

    def _needs(self, block: str) -> None:
        """Compute the keys that are read at and after each vertex of a block, from its end backwards."""
        for name in reversed(self.graphs[block].order):
            vertex = self.vertices[vertex_id(block, name)]
            for target in self.targets[vertex.id]:
                self.carried[vertex.id, target] = self._carried(vertex.id, self.vertices[target])
            if name == OUT:
                after = self._after_block(block)
            else:
                after = _union(self.carried[vertex.id, target] for target in self.targets[vertex.id])
            carried_keys = (after & self.known_out[vertex.id] & ~self.keys.bit(vertex.id)) | self._handled(vertex)
            self.carried_keys[vertex.id] = carried_keys
            needed = self.keys.bits(vertex.reads) | self._inside(vertex) | carried_keys
            self.needs_in[vertex.id] = needed & self.known_in[vertex.id]
            self.fatal[vertex.id] = self._is_fatal(vertex)

    def _carried(self, source: str, target: Vertex) -> int:
        """Return the keys of an edge: what the target needs and the source knows, less what earlier edges of a join bring."""
        needed = self.needs_in[target.id] & self.known_out[source]
        if target.partial:
            return needed  # the other edges may deliver nothing
        return needed & ~self._brought(target)[source]

    def _brought(self, target: Vertex) -> dict[str, int]:
        """Return the keys that earlier edges bring, for each edge into a join."""
        if target.id not in self.brought:
            known, brought = 0, {}
            for source in target.sources:
                brought[source] = known
                known |= self.known_out[source]
            self.brought[target.id] = brought
        return self.brought[target.id]

    def _handled(self, vertex: Vertex) -> int:
        """Return the keys that a vertex's `on_error` reads."""
        names = template.needs(vertex.on_error.value).read()
        read = self.keys.bits(vertex.refs[name] for name in names if name in vertex.refs)
        return read & self.known_in[vertex.id]

    def _after_block(self, block: str) -> int:
        """Return the keys that must survive a block's end."""
        owner = self.blocks[block].owner
        if not owner:
            return 0
        work = self.vertices[owner].work
        if isinstance(work, EachWork):
            return 0  # travels in `opened`
        if isinstance(work, RepeatWork):
            replaced = self.keys.bits(work.state[name][0] for name in work.next)
            return self.carried_keys[owner] | (self.reads[block] & ~replaced)
        return self.carried_keys[owner]

    def _is_fatal(self, vertex: Vertex) -> bool:
        """Return whether a failure of this vertex always fails the run, because no `on_error` on the way out handles it.

        A vertex that continues with some of its edges may have gone on without this one.
        """
        if vertex.id != vertex_id(vertex.block, OUT):
            return any(not self.vertices[target].partial and self.fatal[target] for target in self.targets[vertex.id])
        owner = self.blocks[vertex.block].owner
        return not owner or (self.vertices[owner].on_error.action == "fail" and self.fatal[owner])

    def _finished(self, vertex: Vertex) -> Vertex:
        work = vertex.work
        if isinstance(work, EachWork):
            reads = self._inside(vertex) & self.known_in[vertex.id]
            work = msgspec.structs.replace(work, reads=self.keys.names(reads))
        edges = (Edge(target, self.keys.names(self.carried[vertex.id, target])) for target in self.targets[vertex.id])
        return msgspec.structs.replace(
            vertex,
            work=work,
            targets=tuple(edges),
            carried_keys=self.keys.names(self.carried_keys[vertex.id]),
            fatal=self.fatal[vertex.id],
        )

    def _entry(self, block: str) -> tuple[Edge, ...]:
        roots = [name for name in self.graphs[block].order if not self.graphs[block].sources[name]]
        ids = [vertex_id(block, name) for name in roots]
        return tuple(Edge(target, self.keys.names(self.needs_in[target])) for target in ids)

    def _variables(self, work: Work) -> int:
        """Return the keys that a node adds for its own body."""
        if isinstance(work, EachWork):
            return self.keys.bits((work.variable, work.index))
        if isinstance(work, RepeatWork):
            return self.keys.bits(key for key, _ in work.state.values())
        return self.keys.bits(work.inputs.values()) if isinstance(work, PipelineWork) else 0


def _union(sets: Iterable[int]) -> int:
    return functools.reduce(operator.or_, sets, 0)
