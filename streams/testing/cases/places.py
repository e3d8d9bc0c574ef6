"""Paths of nodes, as tests name them: `faces.cut` is a node wherever it runs, `faces[1].cut` one execution of it."""

import re
from collections.abc import Iterator, Mapping

from streams.language.definition.model import BlockSpec, NodeKind
from streams.language.topology import OUT, Vertex, vertex_id
from streams.messages import At

_INDEX = re.compile(r"\[(\d+)\]")
_PATH = re.compile(r"[a-z][a-z0-9_]*(\[\d+\])?(\.[a-z][a-z0-9_]*(\[\d+\])?)*")


def static(path: str) -> str:
    """Return the node's id: the path without positions."""
    return _INDEX.sub("", path)


def positions(path: str) -> int:
    """Count the positions that a path names; the more, the closer it says which execution is meant."""
    return len(_INDEX.findall(path))


def matches(pattern: str, path: str) -> bool:
    """Return whether a pattern matches an execution's printed path."""
    wanted, actual = pattern.split("."), path.split(".")
    return len(wanted) == len(actual) and all(
        part == other or part == other.partition("[")[0] for part, other in zip(wanted, actual, strict=True)
    )


def open_positions(pattern: str, vertex: Vertex, at: At) -> tuple[int, ...]:
    """Return the positions of an execution that a pattern does not name, outermost first."""
    named = {static(pattern[: index.start()]) for index in _INDEX.finditer(pattern)}
    return tuple(position for loop, position in zip(vertex.loops, at, strict=True) if loop not in named)


def misplaced(pattern: str, vertices: Mapping[str, Vertex]) -> str:
    """Say why a path cannot be that of a known node, such as a position for what is not a loop; empty when it can."""
    if not _PATH.fullmatch(pattern):
        return "is no path of a node"
    loops = vertices[static(pattern)].loops if static(pattern) in vertices else ()
    for index in _INDEX.finditer(pattern):
        owner = static(pattern[: index.start()])
        if owner not in loops:
            return f"gives a position to {owner}, which is not a loop around the node"
    return ""


def known(vertices: Mapping[str, Vertex]) -> list[str]:
    """List the ids of all nodes."""
    return sorted(name for name, vertex in vertices.items() if vertex.name != OUT)


def declared(block: BlockSpec, prefix: str = "") -> Iterator[str]:
    """Yield the ids of the nodes that a file declares, whether or not they could be compiled; not those of inlined pipelines."""
    yield from (vertex_id(prefix, name) for name in block.unread)
    for node in block.nodes:
        own = vertex_id(prefix, node.name)
        yield own
        for key, inner in node.blocks.items():
            yield from declared(inner, f"{own}.{key}" if node.kind is NodeKind.IF else own)
