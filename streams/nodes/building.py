"""What a kind of node needs to be compiled: what it may ask of the compiler, and what it returns."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from streams.errors import Problem
from streams.language.definition.model import BlockSpec, NodeSpec, PipelineSpec
from streams.language.expressions.expression import Expression
from streams.language.source.document import Place
from streams.language.template import Template
from streams.language.topology import Retry, Work
from streams.language.types import Type


@dataclass(frozen=True)
class Built:
    """A node's work, the type of its value, the templates it evaluates where it stands, whether it may skip itself."""

    work: Work
    type: Type
    templates: tuple[Template, ...] = ()
    skippable: bool = False


@dataclass(frozen=True)
class Signature:
    """The types of a service's input and output records."""

    input: Type
    output: Type
    unwanted: Mapping[str, str] = field(default_factory=dict)
    """Names that are not inputs although callers are known to send them, each with the reason."""


class Templates(Protocol):
    """Reads templates and expressions at one place, checks their names and types, and reports what is wrong."""

    def template(
        self, place: Place, value: Any, expected: Type | None = None, exact: bool = False
    ) -> tuple[Template, Type]:
        """Read a piece of YAML as a template; return it with its type."""

    def expression(self, place: Place, text: Any, expected: Type) -> Expression:
        """Read bare CEL of an expected type."""

    def require(self, place: Place, checked: Template, reader: str) -> None:
        """Report names that `reader` cannot do without and that may be skipped."""


@dataclass(frozen=True)
class Closing:
    """What the owner of a block evaluates at its end besides the output: the `next` and `until` of a `repeat`."""

    places: tuple[tuple[Place, Any, bool], ...]
    build: Callable[[Templates], tuple[Template, ...]]


class Builder(Templates, Protocol):
    """What a kind may ask for while one of its nodes is compiled: `streams.compile.node_builder.NodeBuilder`."""

    spec: NodeSpec
    chain: tuple[str, ...]
    """The pipeline that is compiled, and those inlined around this node, outermost first."""

    @property
    def id(self) -> str:
        """The id of the node's vertex."""

    @property
    def vertex_count(self) -> int:
        """How many vertices the whole topology has so far."""

    def with_keys(self, keys: Mapping[str, Any]) -> "Builder":
        """Return the same builder for a node with these keys."""

    def place(self, *keys: str | int) -> Place:
        """Return a place inside the node."""

    def refuse(self, place: Place, problem: str, hint: str = "", offset: int | None = None) -> None:
        """Report a problem and go on."""

    def report(self, problems: Iterable[Problem]) -> None:
        """Report problems that were found elsewhere, such as in another pipeline's file."""

    def new_name(self, place: Place, name: str) -> None:
        """Report a name that the node introduces in its body and that is not allowed there."""

    def loose(self, key: str) -> None:
        """Check the expressions under a key whose expected type is unknown."""

    def inputs(
        self, expected: Type, what: str, key: str = "with", unwanted: Mapping[str, str] | None = None
    ) -> dict[str, Template]:
        """Read the templates under a key, checked against the record that is expected."""

    def block(
        self,
        key: str,
        block: str,
        variables: Mapping[str, Type],
        loop: bool = False,
        body: BlockSpec | None = None,
        isolated: PipelineSpec | None = None,
        closing: Closing | None = None,
    ) -> Type:
        """Compile one of the node's blocks; return the type of its output."""

    def seconds(self, key: str) -> float | None:
        """Read a duration among the node's keys, in seconds; None without one."""

    def retry(self) -> Retry:
        """Read the node's `retry:`."""

    def has_service(self, name: str) -> bool:
        """Return whether a service has this name."""

    def signature(self, name: Any, place: Place) -> Signature | None:
        """Return the types of a service, which the topology uses from here on; report an unknown service and return None."""

    def pipeline(self, name: str) -> PipelineSpec | None:
        """Return another pipeline, or None when there is none of this name."""

    def pipeline_names(self) -> list[str]:
        """Return the names of all other pipelines, for suggestions."""
