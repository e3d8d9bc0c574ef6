"""Compile blocks: each node's kind builds its own work, the compiler joins them into vertices and scopes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from schemas.contracts import Contract
from schemas.shapes import record_shape
from streams.compile.graph import Cycle, Graph, graph
from streams.compile.node_builder import NodeBuilder
from streams.compile.scope import Name, Scope
from streams.errors import Problem, bounded
from streams.language.definition import references
from streams.language.definition.model import BlockSpec, NodeKind, NodeSpec, PipelineSpec
from streams.language.expressions.checker import Checker
from streams.language.source.document import Place, Source
from streams.language.topology import OUT, Block, OutWork, ServiceUse, Vertex, Wait, vertex_id
from streams.language.types import ANY, Type, from_avro
from streams.nodes.building import Builder, Built, Closing, Signature


@dataclass
class Compiler:
    """What is shared by all blocks of one compilation."""

    contracts: Mapping[str, Contract]
    library: Mapping[str, PipelineSpec]
    builders: Mapping[NodeKind, Callable[[Builder], Built | None]]
    problems: list[Problem] = field(default_factory=list)
    vertices: dict[str, Vertex] = field(default_factory=dict)
    blocks: dict[str, Block] = field(default_factory=dict)
    services: dict[str, ServiceUse] = field(default_factory=dict)
    signatures: dict[str, Signature] = field(default_factory=dict)
    checker: Checker = field(default_factory=Checker)
    graphs: dict[str, Graph] = field(default_factory=dict)
    scopes: dict[str, Scope] = field(default_factory=dict)
    """The names that the output of each block may read."""

    def block(
        self,
        spec: BlockSpec,
        scope: Scope,
        owner: str,
        source: Source,
        chain: tuple[str, ...],
        closing: Closing | None = None,
    ) -> Type:
        """Compile a block into vertices; return the type of its output. `closing` is what else is evaluated at its end."""
        nodes = {node.name: node for node in spec.nodes}
        for name, node in nodes.items():
            if scope.has(name):
                self.refuse(
                    source, node.place, f"{name!r} is already a name here", "inner names may not hide outer ones"
                )
        needs = {name: references.node_reads(node) & nodes.keys() for name, node in nodes.items()}
        edges, cyclic = self._graph(needs, nodes, source)
        scope, names = scope.growing(nodes)
        names.update({name: Name(vertex_id(scope.block, name), ANY) for name in cyclic | spec.unread})
        at_end = [((*spec.place, "output"), spec.output, False), *(closing.places if closing else ())]
        end_reads = references.names(iter(at_end)) & nodes.keys()
        for name in edges.order:
            names[name] = NodeBuilder(self, nodes[name], scope, source, chain).vertex(edges)
        self.scopes[scope.block] = scope
        end = NodeSpec(OUT, NodeKind.VALUE, spec.place, {"output": spec.output}, {})
        builder = NodeBuilder(self, end, scope, source, chain)
        return self._out(builder, owner, edges, end_reads, closing, spec.silent)

    def _out(
        self,
        builder: NodeBuilder,
        owner: str,
        edges: Graph,
        end_reads: frozenset[str],
        closing: Closing | None,
        silent: bool,
    ) -> Type:
        """Add the vertex that ends a block: it waits for what the output reads and for every node without successors."""
        spec, scope = builder.spec, builder.scope
        used = {source for sources in edges.sources.values() for source in sources}
        leaves = frozenset(name for name in edges.order if name not in used)
        before = {name: frozenset(edges.sources[name]) for name in edges.order}
        final = graph({**before, OUT: end_reads | leaves}, edges.partial)
        output, kind = builder.template(builder.place("output"), spec.keys["output"])
        kind = ANY if silent else kind
        builder.require(builder.place("output"), output, "the output")
        extra = closing.build(builder) if closing else ()
        identity = vertex_id(scope.block, OUT)
        self.vertices[identity] = Vertex(
            id=identity,
            block=scope.block,
            work=OutWork(output),
            refs=builder.refs(output, *extra),
            sources=tuple(vertex_id(scope.block, source) for source in final.sources[OUT]),
            loops=scope.loops,
            type=str(kind),
        )
        self.blocks[scope.block] = Block(scope.block, owner)
        self.graphs[scope.block] = final
        return kind

    def _graph(
        self, needs: dict[str, frozenset[str]], nodes: Mapping[str, NodeSpec], source: Source
    ) -> tuple[Graph, frozenset[str]]:
        """Return the edges between nodes, and the nodes of cycles: each cycle is reported and cut, so that the rest is checked."""
        partial = frozenset(
            name for name, node in nodes.items() if node.keys.get("wait") == Wait.ANY or "deadline" in node.keys
        )
        cyclic: frozenset[str] = frozenset()
        while True:
            try:
                return graph(needs, partial), cyclic
            except Cycle as cycle:
                hint = "a node cannot wait for its own result; use repeat for a loop"
                self.refuse(source, nodes[cycle.chain[0]].place, str(cycle), hint)
                cut = frozenset(cycle.chain)
                cyclic |= cut
                needs = {name: read - cut if name in cut else read for name, read in needs.items()}

    def signature(self, contract: Contract) -> Signature:
        """Return the types of a service, and make its schemas part of the topology."""
        name = contract.name
        if name not in self.services:
            schemas = contract.input_schema, contract.output_schema
            self.services[name] = ServiceUse(contract.major, contract.version, *schemas)
            unwanted = record_shape(contract.input).unwanted
            self.signatures[name] = Signature(from_avro(contract.input), from_avro(contract.output), unwanted)
        return self.signatures[name]

    def refuse(self, source: Source, place: Place, problem: str, hint: str = "", offset: int | None = None) -> None:
        """Report a problem and go on."""
        if not source.follows(place):
            self.problems.append(source.problem(place, problem, hint, offset))
            bounded(self.problems)
