"""A pipeline as its author wrote it: frozen, unresolved, every part with its place in the file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from streams.errors import Problem
from streams.language.source.document import Place, Source
from streams.language.types import Field


class NodeKind(StrEnum):
    """The word that says what a node is."""

    SERVICE = "service"
    HTTP = "http"
    VALUE = "value"
    IF = "if"
    EACH = "each"
    REPEAT = "repeat"
    PIPELINE = "pipeline"


@dataclass(frozen=True)
class Grammar:
    """Which keys a node of one kind takes beside the options of every node."""

    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    blocks: Mapping[str, bool] = field(default_factory=dict)
    """Keys that hold a block of their own (`then`), and whether they must be there."""
    body: bool = False
    """Whether `nodes` and `output` of the node itself are a block."""


GRAMMAR: Mapping[NodeKind, Grammar] = {
    NodeKind.SERVICE: Grammar(optional=frozenset({"with", "retry", "timeout"})),
    NodeKind.HTTP: Grammar(optional=frozenset({"retry", "timeout"})),
    NodeKind.VALUE: Grammar(),
    NodeKind.IF: Grammar(blocks={"then": True, "else": False}),
    NodeKind.EACH: Grammar(optional=frozenset({"concurrency"}), body=True),
    NodeKind.REPEAT: Grammar(required=frozenset({"max"}), optional=frozenset({"next", "until"}), body=True),
    NodeKind.PIPELINE: Grammar(optional=frozenset({"with"})),
}
"""The whole grammar of nodes."""

OPTIONS = frozenset({"summary", "when", "on_error", "wait", "deadline"})
"""Keys that any node may have."""


@dataclass(frozen=True)
class NodeSpec:
    """One node. `keys` holds what its kind and the options say, unread; `blocks` its blocks by key (`""`: its own)."""

    name: str
    kind: NodeKind
    place: Place
    keys: Mapping[str, Any]
    blocks: Mapping[str, "BlockSpec"]

    @property
    def subject(self) -> Any:
        """The value of the kind's key: a service's name, a condition, a list."""
        return self.keys[self.kind.value]


@dataclass(frozen=True)
class BlockSpec:
    """Nodes and an output: a pipeline, a side of an `if`, the body of a loop."""

    place: Place
    nodes: tuple[NodeSpec, ...]
    output: Any
    unread: frozenset[str] = frozenset()
    """Names of nodes that could not be read; what refers to them is not at fault."""
    silent: bool = False
    """Whether it has no output that could be read, which has been reported; what reads its value is not at fault."""


@dataclass(frozen=True)
class PipelineSpec:
    """One file."""

    source: Source
    name: str
    summary: str
    inputs: tuple[Field, ...]
    block: BlockSpec
    timeout: float | None
    retain: float | None
    tests: Any
    limit: int | None = None
    problems: tuple[Problem, ...] = ()
    """What is wrong with the form of the file; the compiler finds the rest, so that an author sees all at once."""
    unwanted: Mapping[str, str] = field(default_factory=dict)
    """Names that callers are known to send although they are not inputs, each with the reason."""
