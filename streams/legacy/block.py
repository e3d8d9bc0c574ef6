"""One list of nodes of a legacy pipeline while it becomes a block: what its nodes share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.contracts import Contract
from streams.legacy import names
from streams.legacy.flow import Edge
from streams.legacy.references import Scope
from streams.legacy.report import Finding, pointer

Pointer = tuple[str | int, ...]


@dataclass
class Shared:
    """What all blocks of one import share."""

    contracts: Mapping[str, Contract]
    services: Mapping[str, str]
    findings: list[Finding] = field(default_factory=list)
    origins: dict[tuple[str | int, ...], tuple[Pointer, str]] = field(default_factory=dict)
    """Place in the new file → where it came from, and the id of its legacy node."""
    taken: set[str] = field(default_factory=set)
    """Names that are in use in the new file."""


@dataclass
class Block:
    """One list of nodes while it is converted."""

    shared: Shared
    at: Pointer
    """Where the list is in the legacy file."""
    place: tuple[str | int, ...]
    """Where the block is in the new file."""
    scope: Scope
    nodes: dict[str, Any] = field(default_factory=dict)
    output: dict[str, str] = field(default_factory=dict)
    """Fields of the output, for a pipeline: what its ends name."""

    edges: list[Edge] = field(default_factory=list)

    def inside(self, at: Pointer, place: tuple[str | int, ...], scope: Scope, edges: list[Edge]) -> "Block":
        """Return an empty block inside this one: a loop's body or a side of a branch."""
        return Block(self.shared, at, place, scope, edges=edges)

    def refuse(self, at: Pointer, node: str, problem: str, hint: str = "") -> None:
        """Report what has no counterpart and go on."""
        self.shared.findings.append(Finding(pointer(*self.at, *at), node, problem, hint))

    def name(self, identity: str, suffix: str = "node") -> str:
        """Reserve a free name for a node; `suffix` makes it differ from reserved words and other names."""
        name = names.name(identity, self.shared.taken, suffix)
        self.shared.taken.add(name)
        return name

    def add(self, name: str, node: dict[str, Any], at: Pointer, identity: str) -> None:
        """Put a node into the block, and remember where it came from."""
        self.nodes[name] = node
        self.shared.origins[(*self.place, "nodes", name)] = ((*self.at, *at), identity)

    def predecessors(self, identity: str) -> list[Edge]:
        """Return the edges into a node."""
        return [edge for edge in self.edges if edge.target == identity]
