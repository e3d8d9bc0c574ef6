"""A topology as a graph for pages: its nodes with their block and kind, and its edges."""

from typing import Any

from streams.language.topology import BranchWork, ServiceWork, Topology, Vertex


def graph(topology: Topology) -> dict[str, Any]:
    """Return `{nodes, edges, blocks}`; a node's `block` is the id of the block around it, a block's `owner` the node it is in."""
    return {
        "nodes": [_node(vertex) for vertex in topology.vertices.values()],
        "edges": [
            {"from": vertex.id, "to": edge.target} for vertex in topology.vertices.values() for edge in vertex.targets
        ],
        "blocks": [
            {"id": block.id, "owner": block.owner, "entry": [edge.target for edge in block.entry]}
            for block in topology.blocks.values()
        ],
    }


def _node(vertex: Vertex) -> dict[str, Any]:
    work = vertex.work
    node: dict[str, Any] = {
        "id": vertex.id,
        "name": vertex.name,
        "block": vertex.block,
        "kind": str(type(work).__struct_config__.tag),
        "type": vertex.type,
        "when": vertex.when.text if vertex.when else None,
        "join": vertex.wait.value if vertex.joins else None,
    }
    if isinstance(work, ServiceWork):
        node["service"] = work.service
    if isinstance(work, BranchWork):
        node["if"] = work.condition.text
    return node


def is_automatic(topology: Topology) -> bool:
    """Return whether this is the pipeline that a service has under its own name."""
    works = [vertex.work for vertex in topology.vertices.values() if isinstance(vertex.work, ServiceWork)]
    return [work.service for work in works] == [topology.name]
