"""Which context keys travel along which edge: only what something downstream still reads, and each by one edge."""

import msgspec

from streams import template
from streams.compile.graph import Graph
from streams.topology import OUT, Block, EachWork, Edge, PipelineWork, RepeatWork, Vertex, Wait, Work, vertex_id


class Carry:
    """The pass over a whole pipeline that fills in edges, what rides with a node's work, and what is fatal."""

    def __init__(
        self, vertices: dict[str, Vertex], blocks: dict[str, Block], graphs: dict[str, Graph], inputs: frozenset[str]
    ) -> None:
        self.vertices, self.blocks, self.graphs, self.inputs = vertices, blocks, graphs, inputs
        self.known_in: dict[str, frozenset[str]] = {}
        self.known_out: dict[str, frozenset[str]] = {}
        self.targets: dict[str, list[str]] = {name: [] for name in vertices}
        self.needs_in: dict[str, frozenset[str]] = {}
        self.after: dict[str, frozenset[str]] = {}
        self.fatal: dict[str, bool] = {}
        for vertex in vertices.values():
            for source in vertex.sources:
                self.targets[source].append(vertex.id)

    def apply(self) -> tuple[dict[str, Vertex], dict[str, Block]]:
        """The vertices and blocks with their edges. Owners come before what is inside them."""
        blocks_in_order = self._outermost_first()
        for block in blocks_in_order:
            self._known(block)
        for block in blocks_in_order:
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
        """Which keys are known, as a value or as skipped, when each vertex of a block begins and when it has ended."""
        given = self._given(block)
        for name in self.graphs[block].order:
            vertex = self.vertices[vertex_id(block, name)]
            before = [self.known_out[one] for one in vertex.sources]
            self.known_in[vertex.id] = given.union(*before)
            certain = given.union(frozenset.intersection(*before)) if before else given
            ended = certain if vertex.wait is Wait.ANY else self.known_in[vertex.id]
            self.known_out[vertex.id] = ended | {vertex.id}

    def _given(self, block: str) -> frozenset[str]:
        """Keys that are known when a block begins."""
        owner = self.blocks[block].owner
        if not owner:
            return self.inputs
        return self.known_in[owner] | _variables(self.vertices[owner].work)

    def _needs(self, block: str) -> None:
        """What is read at and after each vertex of a block, from its end backwards."""
        for name in reversed(self.graphs[block].order):
            identity = vertex_id(block, name)
            vertex = self.vertices[identity]
            if name == OUT:
                self.after[identity] = self._after_block(block)
            else:
                self.after[identity] = frozenset().union(*(self.needs_in[one] for one in self.targets[identity]))
            rides = self._rides(vertex)
            self.needs_in[identity] = (vertex.reads | self._inside(vertex) | rides) & self.known_in[identity]
            self.fatal[identity] = self._is_fatal(vertex)

    def _rides(self, vertex: Vertex) -> frozenset[str]:
        """What must survive a vertex's work: what is read after it, and what its `on_error` reads."""
        names = template.needs(vertex.on_error.value).read()
        handled = frozenset(vertex.refs[name] for name in names if name in vertex.refs) & self.known_in[vertex.id]
        return ((self.after[vertex.id] - {vertex.id}) & self.known_out[vertex.id]) | handled

    def _after_block(self, block: str) -> frozenset[str]:
        owner = self.blocks[block].owner
        if not owner:
            return frozenset()
        vertex = self.vertices[owner]
        if isinstance(vertex.work, EachWork):
            return frozenset()  # travels in `opened`
        if isinstance(vertex.work, RepeatWork):
            kept = {key for name, (key, _) in vertex.work.state.items() if name not in vertex.work.next}
            state = {key for key, _ in vertex.work.state.values()}
            return self._rides(vertex) | (self._all_reads(block) - state) | kept
        return self._rides(vertex)

    def _inside(self, vertex: Vertex) -> frozenset[str]:
        """What the blocks of a vertex read from around it."""
        bodies = (name for name, block in self.blocks.items() if block.owner == vertex.id)
        return frozenset().union(*(self._all_reads(body) for body in bodies)) - _variables(vertex.work)

    def _all_reads(self, block: str) -> frozenset[str]:
        """Keys that a block reads and does not make itself."""
        names = {vertex_id(block, name) for name in self.graphs[block].order}
        return (
            frozenset().union(*(self.vertices[one].reads | self._inside(self.vertices[one]) for one in names)) - names
        )

    def _is_fatal(self, vertex: Vertex) -> bool:
        """Whether a failure of this vertex surely fails the run: nothing on the way out turns it into something else."""
        if vertex.id != vertex_id(vertex.block, OUT):
            ways = [one for one in self.targets[vertex.id] if self.vertices[one].wait is Wait.ALL and self.fatal[one]]
            return bool(ways)
        owner = self.blocks[vertex.block].owner
        return not owner or (self.vertices[owner].on_error.action == "fail" and self.fatal[owner])

    def _finished(self, vertex: Vertex) -> Vertex:
        work = vertex.work
        if isinstance(work, EachWork):
            work = msgspec.structs.replace(work, reads=self._inside(vertex) & self.known_in[vertex.id])
        return msgspec.structs.replace(
            vertex,
            work=work,
            targets=tuple(Edge(one, self._carried(vertex.id, self.vertices[one])) for one in self.targets[vertex.id]),
            rides=self._rides(vertex),
            fatal=self.fatal[vertex.id],
        )

    def _carried(self, source: str, target: Vertex) -> frozenset[str]:
        """What an edge carries: all that the target needs and the source knows, less what an earlier edge of a join brings."""
        needed = self.needs_in[target.id] & self.known_out[source]
        if target.wait is Wait.ANY:
            return needed
        for other in target.sources[: target.sources.index(source)]:
            needed -= self.known_out[other]
        return needed

    def _entry(self, block: str) -> tuple[Edge, ...]:
        roots = [name for name in self.graphs[block].order if not self.graphs[block].sources[name]]
        ids = [vertex_id(block, name) for name in roots]
        return tuple(Edge(one, self.needs_in[one]) for one in ids)


def _variables(work: Work) -> frozenset[str]:
    """Keys that a node gives to its own body."""
    if isinstance(work, EachWork):
        return frozenset({work.variable, work.index})
    if isinstance(work, RepeatWork):
        return frozenset(key for key, _ in work.state.values())
    return frozenset(work.inputs.values()) if isinstance(work, PipelineWork) else frozenset()
