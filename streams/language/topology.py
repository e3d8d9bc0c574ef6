"""The compiled form of a pipeline: frozen values that `advance` and `flow` walk, with a canonical JSON form and digest."""

import functools
import hashlib
import re
from enum import StrEnum
from typing import Any

import msgspec

from streams.language.expressions.expression import Condition, Expression
from streams.language.template import Template
from streams.messages import At

OUT = "$out"
"""The name of the vertex that ends a block: it computes the block's output."""

DEFAULT_TIMEOUT = 3600.0
"""Seconds that a run may take when its pipeline says nothing."""


DEFAULT_LIMIT = 10_000
"""Nodes, rounds and items that a run may go through when its pipeline says nothing."""


class Wait(StrEnum):
    """When a join continues: with every token, or with the first value."""

    ALL = "all"
    ANY = "any"


class OnError(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a failed node becomes: still failed, skipped, or this value."""

    action: str = "fail"
    value: Template | None = None


class Retry(msgspec.Struct, frozen=True):
    """How often a service is tried in all, and the wait in seconds before the second attempt; it doubles from there."""

    attempts: int = 3
    backoff: float = 1.0


class Edge(msgspec.Struct, frozen=True, omit_defaults=True):
    """To which vertex, and which context keys travel there."""

    target: str
    carry: frozenset[str] = frozenset()


class ServiceWork(msgspec.Struct, frozen=True, tag="service", omit_defaults=True):
    """Send one task to a service."""

    service: str
    input: dict[str, Template]
    retry: Retry = Retry()
    timeout: float | None = None


class ValueWork(msgspec.Struct, frozen=True, tag="value"):
    """Compute a value where the run is."""

    value: Template


class BranchWork(msgspec.Struct, frozen=True, tag="if", omit_defaults=True):
    """Go into one of two blocks; without an `else` the node is skipped when the condition is false."""

    condition: Expression
    then: str
    otherwise: str | None = None


class EachWork(msgspec.Struct, frozen=True, tag="each", omit_defaults=True):
    """Run a block for every item of a list; `variable` and `index` are the context keys that the body reads."""

    items: Template
    body: str
    variable: str
    index: str
    concurrency: int
    reads: frozenset[str] = frozenset()
    """Keys that the body reads from outside; they travel in its item tasks."""


class RepeatWork(msgspec.Struct, frozen=True, tag="repeat"):
    """Run a block again and again with carried state; `state` is name → (context key, first value)."""

    body: str
    state: dict[str, tuple[str, Template]]
    next: dict[str, Template]
    until: Expression | None
    max: int


class PipelineWork(msgspec.Struct, frozen=True, tag="pipeline"):
    """Go into an inlined pipeline with these inputs; `inputs` is name → context key inside."""

    pipeline: str
    body: str
    input: dict[str, Template]
    inputs: dict[str, str]
    schema: dict[str, Any]


class OutWork(msgspec.Struct, frozen=True, tag="out"):
    """Compute a block's output and hand it to the block's owner."""

    output: Template


Work = ServiceWork | ValueWork | BranchWork | EachWork | RepeatWork | PipelineWork | OutWork


class Vertex(msgspec.Struct, frozen=True, omit_defaults=True):
    """One node of one block, or the end of a block. Edges into it come from `sources`; two or more make it a join."""

    id: str
    block: str
    work: Work
    refs: dict[str, str] = {}
    """Name → context key, for every name that its expressions read."""
    needs: Condition = Condition()
    when: Expression | None = None
    sources: tuple[str, ...] = ()
    targets: tuple[Edge, ...] = ()
    loops: tuple[str, ...] = ()
    """The loops around it, outermost first: as many as it has positions."""
    wait: Wait = Wait.ALL
    deadline: float | None = None
    on_error: OnError = OnError()
    carried_keys: frozenset[str] = msgspec.field(default=frozenset(), name="rides")
    """Context keys that are read after its work, so that they travel with it."""
    fatal: bool = False
    """Whether a failure here always fails the run, so that the rest of it need not begin."""
    type: str = ""

    @property
    def name(self) -> str:
        """The node's own name."""
        return self.id.rpartition(".")[2]

    @property
    def joins(self) -> bool:
        """Whether tokens meet here; the end of a run always does, so that one place ends it."""
        return len(self.sources) > 1 or self.id == OUT

    @property
    def partial(self) -> bool:
        """Whether it may go on before all of its edges have delivered."""
        return self.wait is Wait.ANY or self.deadline is not None

    @property
    def reads(self) -> frozenset[str]:
        """Context keys that its own expressions read."""
        return frozenset(self.refs.values())


class Block(msgspec.Struct, frozen=True, omit_defaults=True):
    """A scope: vertices, where a run enters it, and the vertex that it belongs to (none for the pipeline itself)."""

    id: str
    owner: str = ""
    entry: tuple[Edge, ...] = ()

    @property
    def out(self) -> str:
        """The id of the vertex that ends it."""
        return vertex_id(self.id, OUT)


class ServiceUse(msgspec.Struct, frozen=True):
    """The contract of a service as it was when the pipeline was compiled."""

    major: int
    version: str
    input: dict[str, Any]
    output: dict[str, Any]


class Topology(msgspec.Struct, frozen=True, dict=True):
    """A compiled pipeline. `input` and `output` are its Avro record schemas."""

    name: str
    summary: str
    input: dict[str, Any]
    output: dict[str, Any]
    vertices: dict[str, Vertex]
    blocks: dict[str, Block]
    services: dict[str, ServiceUse]
    timeout: float = DEFAULT_TIMEOUT
    retain: float | None = None
    """Seconds that the objects of an ended run are kept; None: the installation's policy."""
    limit: int | msgspec.UnsetType = msgspec.UNSET
    """Nodes, rounds and items that a run may go through. (Not said, it is not in the JSON: digests are older than it.)"""

    @property
    def executions(self) -> int:
        """Nodes, rounds and items that a run may go through."""
        return DEFAULT_LIMIT if isinstance(self.limit, msgspec.UnsetType) else self.limit

    @property
    def windows(self) -> dict[str, int]:
        """Items of each loop that may be at work at once, by the loop's vertex id."""
        return {
            vertex.id: vertex.work.concurrency for vertex in self.vertices.values() if isinstance(vertex.work, EachWork)
        }

    @functools.cached_property
    def laborious(self) -> bool:
        """Whether a walk may take more than some milliseconds: it has a `repeat`, or an expression goes through a list or a text."""
        return _LABORIOUS.search(self.to_json()) is not None

    @functools.cached_property
    def straight(self) -> bool:
        """Whether it is one chain of nodes: nothing meets and nothing fans out, so that its last agent can end the run."""
        return all(_is_link(vertex) for vertex in self.vertices.values())

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 (64 hex digits) of the canonical JSON: the same pipeline always has the same one."""
        return hashlib.sha256(self.to_json()).hexdigest()

    def to_json(self) -> bytes:
        """Return the canonical JSON."""
        return _ENCODER.encode(self)

    @classmethod
    def from_json(cls, data: bytes | str) -> "Topology":
        """Read a topology from its JSON. Raises msgspec.ValidationError for anything else."""
        return _DECODER.decode(data)

    def path(self, vertex: str, at: At) -> str:
        """Return the printed place of a node execution: `faces[3].thumb`."""
        loops = self.vertices[vertex].loops
        text, done = "", 0
        for loop, position in zip(loops, at, strict=False):
            text += f"{vertex[done : len(loop)]}[{position}]"
            done = len(loop)
        return (text + vertex[done:]).replace(f".{OUT}", "")


_LABORIOUS = re.compile(
    rb'"type":"repeat"|\b(?:map|filter|all|exists|exists_one|matches|replace|join|split|format|contains|(?:i|lastI)ndexOf)\('
)
_ENCODER = msgspec.json.Encoder(order="deterministic")
_DECODER = msgspec.json.Decoder(Topology)


def _is_link(vertex: Vertex) -> bool:
    """Return whether at most one path leads to a vertex, and at most one away from it."""
    if vertex.id == OUT and vertex.partial:
        return False
    return len(vertex.sources) <= 1 and len(vertex.targets) <= 1 and not isinstance(vertex.work, EachWork)


def vertex_id(block: str, name: str) -> str:
    """Join a block and a node's name: `faces` and `thumb` make `faces.thumb`."""
    return f"{block}.{name}" if block else name


def variable_key(block: str, name: str) -> str:
    """Return the context key of an input, a loop variable or carried state: `faces:face`."""
    return f"{block}:{name}"
