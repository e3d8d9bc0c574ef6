"""A topology as a Mermaid flowchart: nodes are boxes, loops, branches and inlined pipelines are frames around theirs."""

from collections.abc import Iterator
from graphlib import TopologicalSorter

from streams.language.topology import (
    OUT,
    BranchWork,
    EachWork,
    PipelineWork,
    RepeatWork,
    ServiceWork,
    Topology,
    Vertex,
    Wait,
)

_INPUT = "in"
_LONGEST = 60
"""Characters of an expression that a label shows."""
_ESCAPES = str.maketrans({"#": "#35;", "&": "#amp;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "`": "#96;"})


def mermaid(topology: Topology) -> str:
    """Return the text of the diagram, the same for the same topology, with a line break at its end."""
    return "\n".join(["flowchart TD", *_Writer(topology).lines()]) + "\n"


class _Writer:
    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.ids: dict[str, str] = {}
        self.edges: list[str] = []
        self._number("")

    def lines(self) -> Iterator[str]:
        inputs = ", ".join(field["name"] for field in self.topology.input["fields"])
        yield f"    {_INPUT}([{_quoted(inputs or 'no input')}])"
        for edge in sorted(self.topology.blocks[""].entry, key=lambda edge: self._rank(edge.target)):
            self.edges.append(f"{_INPUT} --> {self.ids[edge.target]}")
        yield from self._block("", 1)
        outputs = ", ".join(field["name"] for field in self.topology.output["fields"])
        yield f"    {self.ids[OUT]}([{_quoted(outputs or 'no output')}])"
        yield from (f"    {edge}" for edge in self.edges)

    def _number(self, block: str) -> None:
        """Return names for the vertices of a block and of those inside it: diagrams allow no dots, and two names may not become one."""
        for vertex in self._ordered(block):
            self.ids[vertex.id] = f"n{len(self.ids)}"
            for inner in _blocks(vertex):
                self._number(inner)

    def _rank(self, vertex: str) -> int:
        return int(self.ids[vertex][1:])

    def _ordered(self, block: str) -> list[Vertex]:
        """Return the vertices of a block, each after what it waits for: the same however the topology was built."""
        inside = {vertex.id: vertex for vertex in self.topology.vertices.values() if vertex.block == block}
        sorter = TopologicalSorter({name: vertex.sources for name, vertex in inside.items()})
        sorter.prepare()
        ordered: list[Vertex] = []
        while sorter.is_active():
            ready = sorted(sorter.get_ready())
            ordered += (inside[name] for name in ready)
            sorter.done(*ready)
        return ordered

    def _block(self, block: str, depth: int) -> Iterator[str]:
        vertices = self._ordered(block)
        for vertex in vertices:
            if vertex.name != OUT:
                yield from self._vertex(vertex, depth)
            if vertex.name != OUT or not block:
                self._edges_into(vertex)
        if block and len(vertices) == 1:
            own = self.ids[vertices[0].id]
            yield f"{'    ' * depth}{own}[/{_quoted('its output')}/]"  # a frame around nothing is not shown

    def _vertex(self, vertex: Vertex, depth: int) -> Iterator[str]:
        work, pad = vertex.work, "    " * depth
        if isinstance(work, BranchWork):
            yield from self._branch(vertex, work, depth)
        elif isinstance(work, EachWork | RepeatWork | PipelineWork):
            yield f"{pad}subgraph {self.ids[vertex.id]}[{_quoted(_frame(vertex, work), *_notes(vertex))}]"
            yield from self._block(work.body, depth + 1)
            yield f"{pad}end"
        elif isinstance(work, ServiceWork):
            yield f"{pad}{self.ids[vertex.id]}[{_quoted(vertex.name, work.service, *_notes(vertex))}]"
        else:
            yield f"{pad}{self.ids[vertex.id]}({_quoted(vertex.name, *_notes(vertex))})"

    def _branch(self, vertex: Vertex, work: BranchWork, depth: int) -> Iterator[str]:
        pad, own = "    " * depth, self.ids[vertex.id]
        yield f"{pad}subgraph {own}[{_quoted(vertex.name, *_notes(vertex))}]"
        yield f"{pad}    {own}_if{{{_quoted(_short(work.condition.text))}}}"
        for side, block in (("then", work.then), ("else", work.otherwise)):
            if block is not None:
                yield f"{pad}    subgraph {own}_{side}[{_quoted(side)}]"
                yield from self._block(block, depth + 2)
                yield f"{pad}    end"
                self.edges.append(f"{own}_if -- {side} --> {own}_{side}")
        yield f"{pad}end"

    def _edges_into(self, vertex: Vertex) -> None:
        arrow = "-.->" if vertex.wait is Wait.ANY else "-->"
        for source in sorted(vertex.sources, key=self._rank):
            self.edges.append(f"{self.ids[source]} {arrow} {self.ids[vertex.id]}")


def _blocks(vertex: Vertex) -> list[str]:
    """Return the blocks of a vertex."""
    work = vertex.work
    if isinstance(work, BranchWork):
        return [block for block in (work.then, work.otherwise) if block is not None]
    return [work.body] if isinstance(work, EachWork | RepeatWork | PipelineWork) else []


def _frame(vertex: Vertex, work: EachWork | RepeatWork | PipelineWork) -> str:
    if isinstance(work, EachWork):
        return f"{vertex.name}: each {work.variable.rpartition(':')[2]}"
    if isinstance(work, RepeatWork):
        until = f" until {_short(work.until.text)}" if work.until else ""
        return f"{vertex.name}: repeat{until}, at most {work.max} times"
    return f"{vertex.name}: pipeline {work.pipeline}"


def _notes(vertex: Vertex) -> Iterator[str]:
    """Return what a node's options say, one line each."""
    if vertex.when is not None:
        yield f"when {_short(vertex.when.text)}"
    if vertex.on_error.action != "fail":
        yield "on error: skipped" if vertex.on_error.action == "skip" else "on error: another value"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _quoted(*lines: str) -> str:
    return '"' + "<br/>".join(line.translate(_ESCAPES) for line in lines) + '"'
