"""What a kind of node may do when a run reaches one of its nodes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from streams.language.expressions.expression import Expression
from streams.language.template import Template
from streams.language.topology import Topology, Vertex
from streams.messages import At, Context, Fault, Message, Outcome, Run, Value


@dataclass(frozen=True, slots=True)
class Visit:
    """A vertex at a position, with what is known there."""

    vertex: Vertex
    at: At
    context: Context


class Walker(Protocol):
    """What a kind may do when a run reaches one of its nodes: `streams.flow.walk.Walk`."""

    topology: Topology
    run: Run

    def values(self, visit: Visit) -> dict[str, Value]:
        """Return the values that the vertex's expressions can read, by name."""

    def record(self, visit: Visit, templates: Mapping[str, Template]) -> dict[str, Value]:
        """Evaluate each template. Raises EvaluationError."""

    def evaluate(self, expression: Template, values: Mapping[str, Value]) -> Value:
        """Evaluate a template within this walk's budget. Raises EvaluationError."""

    def holds(self, expression: Expression, values: Mapping[str, Value]) -> bool:
        """Evaluate a condition. Raises EvaluationError, also when the value is not a bool."""

    def restrict(self, context: Context, keys: frozenset[str]) -> Context:
        """Keep only these keys. Raises ContextLost when a key is neither known nor skipped."""

    def kept(self, visit: Visit) -> Context:
        """Return what must survive the vertex's work."""

    def path(self, visit: Visit) -> str:
        """Return the printed place, such as `faces[3].thumb`."""

    def emit(self, message: Message) -> None:
        """Send a message other than an event."""

    def enter(self, block: str, at: At, context: Context) -> None:
        """Begin a block: everything in it that waits for nothing."""

    def skip(self, visit: Visit, reason: str, because: Mapping[str, Value] | None = None) -> None:
        """Skip the node. `because`: the condition and the values it read."""

    def fail(self, visit: Visit, reason: str, fault: Fault, hint: str = "") -> None:
        """Fail the node."""

    def reuse(self, visit: Visit) -> bool:
        """Finish the node with the value of the run that this one repeats; return False without one."""

    def finish(
        self, visit: Visit, outcome: Outcome, attempt: int = 0, about: Mapping[str, Value] | None = None
    ) -> None:
        """End the node's work: emit its event, apply its `on_error`, and follow its edges."""
