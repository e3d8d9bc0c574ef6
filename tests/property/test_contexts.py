"""What travels with a run is what is read further on, and no more."""

from hypothesis import given

from streams.language.topology import EachWork, OutWork, Topology, Vertex
from tests.property.effort import effort
from tests.property.harness import compiled
from tests.property.pipelines import Case, Shape, cases


def reachable(topology: Topology) -> dict[str, set[str]]:
    """For each vertex, every vertex that a run may be at from there on, itself included."""
    steps = {name: set(_next(topology, vertex)) for name, vertex in topology.vertices.items()}
    keys: dict[str, set[str]] = {}
    for name in steps:
        seen, todo = {name}, [name]
        while todo:
            new = steps[todo.pop()] - seen
            seen |= new
            todo += new
        keys[name] = seen
    return keys


def _next(topology: Topology, vertex: Vertex) -> list[str]:
    """Where a run may go from a vertex in one step: along its edges, into its blocks, out of its block, round its loop."""
    inside = [edge.target for block in topology.blocks.values() if block.owner == vertex.id for edge in block.entry]
    edges = [edge.target for edge in vertex.targets]
    owner = topology.blocks[vertex.block].owner
    if not isinstance(vertex.work, OutWork) or not owner:
        return inside + edges
    return [owner, *(edge.target for edge in topology.blocks[vertex.block].entry)]


@effort
@given(case=cases(Shape(any_of=True, deadline=True, nodes=14)))
def test_nothing_travels_that_nobody_reads(case: Case) -> None:
    """Every key that an edge, a task or an item carries is read by something that the run may still reach."""
    topology = compiled(case)
    after = reachable(topology)

    def read_from(names: set[str]) -> set[str]:
        return {key for name in names for key in topology.vertices[name].reads}

    for vertex in topology.vertices.values():
        for edge in vertex.targets:
            assert edge.carry <= read_from(after[edge.target]), f"{vertex.id} → {edge.target}"
        assert vertex.carried_keys <= read_from(after[vertex.id]), vertex.id
        if isinstance(vertex.work, EachWork):
            assert vertex.work.reads <= read_from(after[vertex.id]), vertex.id
    for block in topology.blocks.values():
        for edge in block.entry:
            assert edge.carry <= read_from(after[edge.target]), f"into {edge.target}"


@effort
@given(case=cases(Shape(any_of=False, nodes=14)))
def test_a_join_is_brought_each_value_once(case: Case) -> None:
    """Where all edges of a join deliver, no two of them carry the same key."""
    topology = compiled(case)
    for vertex in topology.vertices.values():
        edges = [
            edge for source in vertex.sources for edge in topology.vertices[source].targets if edge.target == vertex.id
        ]
        carried = [key for edge in edges for key in edge.carry]
        assert len(edges) == len(vertex.sources)
        assert len(carried) == len(set(carried)), f"{vertex.id}: {sorted(carried)}"
