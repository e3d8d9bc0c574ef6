"""What all nodes of one compilation share."""

from collections.abc import Callable, Mapping
from typing import Protocol

from schemas.contracts import Contract
from streams.compile.scope import Scope
from streams.errors import Problem
from streams.language.definition.model import BlockSpec, NodeKind, PipelineSpec
from streams.language.expressions.checker import Checker
from streams.language.source.document import Place, Source
from streams.language.topology import Vertex
from streams.language.types import Type
from streams.nodes.building import Builder, Built, Closing, Signature


class Compilation(Protocol):
    """What all blocks of one compilation share, as a node sees it: `streams.compile.compiler.Compiler`."""

    contracts: Mapping[str, Contract]
    library: Mapping[str, PipelineSpec]
    builders: Mapping[NodeKind, Callable[[Builder], Built | None]]
    problems: list[Problem]
    vertices: dict[str, Vertex]
    checker: Checker

    def block(
        self,
        spec: BlockSpec,
        scope: Scope,
        owner: str,
        source: Source,
        chain: tuple[str, ...],
        closing: Closing | None = None,
    ) -> Type:
        """Compile a block into vertices; return the type of its output."""

    def signature(self, contract: Contract) -> Signature:
        """Return the types of a service, and make its schemas part of the topology."""

    def refuse(self, source: Source, place: Place, problem: str, hint: str = "", offset: int | None = None) -> None:
        """Report a problem and go on."""
