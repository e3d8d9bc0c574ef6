"""A topology as a Mermaid flowchart: nodes are boxes, loops, branches and inlined pipelines are frames around theirs."""

from collections.abc import Iterator

from streams.topology import (
    OUT,
    Block,
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
    """The text of the diagram, the same for the same topology, with a line break at its end."""
    return "\n".join(["flowchart TD", *_Writer(topology).lines()]) + "\n"


class _Writer:
    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.blocks: dict[str, list[Vertex]] = {name: [] for name in topology.blocks}
        for vertex in topology.vertices.values():
            self.blocks[vertex.block].append(vertex)
        # Diagrams allow no dots in names, and two names must not become one.
        self.ids = {name: f"n{number}" for number, name in enumerate(topology.vertices)}
        self.edges: list[str] = []

    def lines(self) -> Iterator[str]:
        inputs = ", ".join(field["name"] for field in self.topology.input["fields"])
        yield f"    {_INPUT}([{_quoted(inputs or 'no input')}])"
        yield from self._block(self.topology.blocks[""], 1)
        outputs = ", ".join(field["name"] for field in self.topology.output["fields"])
        yield f"    {self.ids[OUT]}([{_quoted(outputs or 'no output')}])"
        for edge in self.topology.blocks[""].entry:
            self.edges.append(f"{_INPUT} --> {self.ids[edge.target]}")
        yield from (f"    {edge}" for edge in self.edges)

    def _block(self, block: Block, depth: int) -> Iterator[str]:
        for vertex in self.blocks[block.id]:
            if vertex.name != OUT:
                yield from self._vertex(vertex, depth)
            if vertex.id == OUT or vertex.name != OUT:
                self._edges_into(vertex)
        if block.id and len(self.blocks[block.id]) == 1:
            only = self.topology.vertices[block.out]
            yield f"{'    ' * depth}{self.ids[only.id]}[/{_quoted('its output')}/]"  # a frame around nothing is not shown

    def _vertex(self, vertex: Vertex, depth: int) -> Iterator[str]:
        work, pad = vertex.work, "    " * depth
        if isinstance(work, BranchWork):
            yield from self._branch(vertex, work, depth)
        elif isinstance(work, EachWork | RepeatWork | PipelineWork):
            yield f"{pad}subgraph {self.ids[vertex.id]}[{_quoted(_frame(vertex, work), *_notes(vertex))}]"
            yield from self._block(self.topology.blocks[work.body], depth + 1)
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
                yield from self._block(self.topology.blocks[block], depth + 2)
                yield f"{pad}    end"
                self.edges.append(f"{own}_if -- {side} --> {own}_{side}")
        yield f"{pad}end"

    def _edges_into(self, vertex: Vertex) -> None:
        arrow = "-.->" if vertex.wait is Wait.ANY else "-->"
        for source in vertex.sources:
            self.edges.append(f"{self.ids[source]} {arrow} {self.ids[vertex.id]}")


def _frame(vertex: Vertex, work: EachWork | RepeatWork | PipelineWork) -> str:
    if isinstance(work, EachWork):
        return f"{vertex.name}: each {work.variable.rpartition(':')[2]}"
    if isinstance(work, RepeatWork):
        until = f" until {_short(work.until.text)}" if work.until else ""
        return f"{vertex.name}: repeat{until}, at most {work.max} times"
    return f"{vertex.name}: pipeline {work.pipeline}"


def _notes(vertex: Vertex) -> Iterator[str]:
    """What a node's options say, one line each."""
    if vertex.when is not None:
        yield f"when {_short(vertex.when.text)}"
    if vertex.on_error.action != "fail":
        yield "on error: skipped" if vertex.on_error.action == "skip" else "on error: another value"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _quoted(*lines: str) -> str:
    return '"' + "<br/>".join(line.translate(_ESCAPES) for line in lines) + '"'
