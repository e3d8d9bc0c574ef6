"""Walking a topology from where something ended: inline through all that costs no hop, until only messages are left."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from schemas.codec import Nonconforming, conform
from schemas.words import found
from streams import template
from streams.cel.expression import Expression
from streams.cel.seen import seen
from streams.errors import EvaluationError, MillraceError
from streams.messages import (
    At,
    Context,
    Event,
    EventKind,
    Failure,
    Fault,
    Item,
    Message,
    Outcome,
    Run,
    Status,
    Token,
    Value,
)
from streams.nodes.repeat import end_round
from streams.nodes.starts import start
from streams.template import Template
from streams.topology import EachWork, OutWork, RepeatWork, Topology, Vertex

MAX_STEPS = 100_000
"""Nodes and rounds that are computed one after another without a message in between: whoever computes them does nothing else."""

ITEM_STEPS = 1000
"""As many more for each item of a loop that is begun with others: it is not their fault how many there are."""

Reused = Mapping[tuple[str, At], Value]
"""What services gave in the run that this one repeats, by vertex and position."""


_ENDLESS = f"more than {MAX_STEPS:,} nodes and rounds in a row without a service"
_ENDLESS_HINT = "bound the loops with `max:`, or go through a list with each"


class ContextLost(MillraceError):
    """A context key that something reads has neither a value nor a skip: a fault of the compiler, never of a user."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A vertex at a position, with what is known there."""

    vertex: Vertex
    at: At
    context: Context


@dataclass(frozen=True, slots=True)
class _Arrival:
    vertex: str
    at: At
    context: Context
    failure: Failure | None


class Walk:
    """One walk. What it gathers is sent by the caller: events first, then the rest."""

    def __init__(self, topology: Topology, run: Run, reused: Reused | None = None) -> None:
        """`reused`: what services gave in the run that this one repeats; they are not asked again."""
        self.topology = topology
        self.run = run
        self.reused: Reused = reused or {}
        self.ended: Outcome | None = None
        """The outcome of the run, once its last vertex was reached."""
        self._events: list[Event] = []
        self._others: list[Message] = []
        self._pending: deque[_Arrival] = deque()
        self._steps = 0
        self._items = 0

    def messages(self) -> list[Message]:
        """Everything to send, after walking as far as it goes."""
        while self._pending:
            self._steps += 1
            self._arrive(self._pending.popleft())
        return [*self._events, *self._others]

    # What a node's kind may do ---------------------------------------------------------------------------------

    def values(self, visit: Visit) -> dict[str, Value]:
        """Name → value of what is there, for the vertex's expressions."""
        known = visit.context.values
        return {name: known[key] for name, key in visit.vertex.refs.items() if key in known}

    def record(self, visit: Visit, templates: Mapping[str, Template]) -> dict[str, Value]:
        """Each template evaluated."""
        values = self.values(visit)
        return {name: template.evaluate(made, values) for name, made in templates.items()}

    def boolean(self, value: Any, expression: Expression) -> bool:
        """A condition's value. Raises EvaluationError when it is no bool."""
        if not isinstance(value, bool):
            raise EvaluationError(f"{expression.text}: a condition gave {found(value)}, not true or false")
        return value

    def restrict(self, context: Context, keys: frozenset[str]) -> Context:
        """Only these keys. Raises ContextLost when one is neither known nor skipped."""
        values = {key: context.values[key] for key in keys if key in context.values}
        skipped = context.skipped & keys
        if len(values) + len(skipped) < len(keys):
            raise ContextLost(f"run {self.run.id}: nothing is known of {sorted(keys - values.keys() - skipped)}")
        return Context(values, skipped)

    def kept(self, visit: Visit) -> Context:
        """What must survive the vertex's work."""
        return self.restrict(visit.context, visit.vertex.rides)

    def path(self, visit: Visit) -> str:
        """The printed place."""
        return self.topology.path(visit.vertex.id, visit.at)

    def send(self, message: Message) -> None:
        """Send something other than an event."""
        self._others.append(message)

    def tell(self, visit: Visit, kind: EventKind, data: Mapping[str, Value], attempt: int = 0) -> None:
        """Say what happened at a vertex."""
        self._events.append(Event(self.run, kind, visit.vertex.id, visit.at, self.path(visit), attempt, data))

    def enter(self, block: str, at: At, context: Context) -> None:
        """Begin a block: everything in it that waits for nothing."""
        for edge in self.topology.blocks[block].entry:
            self._hand(edge.target, at, "", self.restrict(context, edge.carry), None, Status.VALUE)

    def enter_item(self, block: str, at: At, context: Context) -> None:
        """Begin the body of a loop for one of the items that are begun together."""
        self._items += 1
        self.enter(block, at, context)

    def arrive(self, vertex: str, at: At, context: Context, failure: Failure | None = None) -> None:
        """Reach a vertex whose edges have all delivered."""
        self._pending.append(_Arrival(vertex, at, context, failure))

    def skip(self, visit: Visit, reason: str, because: Mapping[str, Value] | None = None) -> None:
        """The node is skipped, and what strictly needs it will be. `because`: the condition, and what it read."""
        self.tell(visit, EventKind.SKIPPED, {"reason": reason, **(because or {})})
        self._leave(visit, Status.SKIPPED)

    def fail(self, visit: Visit, reason: str, fault: Fault, hint: str = "") -> None:
        """The node failed where it stands."""
        self.finish(visit, Outcome(Status.FAILED, failure=Failure(reason, fault, self.path(visit), hint)))

    def reuse(self, visit: Visit) -> bool:
        """Take over what a service gave in the run that this one repeats; whether it gave anything."""
        place = (visit.vertex.id, visit.at)
        if place not in self.reused:
            return False
        self.finish(visit, Outcome(Status.VALUE, self.reused[place]), told={"reused": True})
        return True

    def finish(self, visit: Visit, outcome: Outcome, attempt: int = 0, told: Mapping[str, Value] | None = None) -> None:
        """The node's work ended: say so, apply its `on_error`, and go on along its edges."""
        if outcome.failure is None:
            self.tell(visit, EventKind.FINISHED, {"output": outcome.value, **outcome.about, **(told or {})}, attempt)
            self._leave(visit, Status.VALUE, outcome.value)
            return
        failure = outcome.failure
        if failure.fault is Fault.DROPPED:
            self.tell(visit, EventKind.SKIPPED, {"reason": failure.reason}, attempt)
            self._leave(visit, Status.FAILED, failure=failure)
            return
        handled, value = self._handled(visit)
        data = {"reason": failure.reason, "fault": failure.fault.value, "at": failure.path, "hint": failure.hint}
        self.tell(visit, EventKind.FAILED, {**data, "on_error": handled or "fail"}, attempt)
        if handled == "skip":
            self._leave(visit, Status.SKIPPED)
        elif handled == "use":
            self._leave(visit, Status.VALUE, value)
        else:
            self._leave(visit, Status.FAILED, failure=failure)

    # How it goes on --------------------------------------------------------------------------------------------

    def _handled(self, visit: Visit) -> tuple[str | None, Value]:
        """What `on_error` makes of a failure; a value that cannot be computed leaves the failure as it is."""
        on_error = visit.vertex.on_error
        if on_error.action == "skip" and not self._endless:
            return "skip", None
        if on_error.value is None or self._endless:
            return None, None
        values = self.values(visit)
        if not template.needs(on_error.value).met(frozenset(visit.vertex.refs) - values.keys()):
            return None, None
        try:
            return "use", template.evaluate(on_error.value, values)
        except EvaluationError:
            return None, None

    def _leave(self, visit: Visit, status: Status, value: Value = None, failure: Failure | None = None) -> None:
        vertex, context = visit.vertex, visit.context
        if status is Status.VALUE:
            context = Context({**context.values, vertex.id: value}, context.skipped)
        else:  # a failure carries its context too: an `on_error` further out may turn it into something that goes on
            context = Context(context.values, context.skipped | {vertex.id})
        for edge in vertex.targets:
            self._hand(edge.target, visit.at, vertex.id, self.restrict(context, edge.carry), failure, status)

    def _hand(self, target: str, at: At, edge: str, context: Context, failure: Failure | None, status: Status) -> None:
        if self.topology.vertices[target].joins:
            self.send(Token(self.run, target, at, edge, status, context, failure))
        else:
            self._pending.append(_Arrival(target, at, context, failure))

    def _arrive(self, arrival: _Arrival) -> None:
        visit = Visit(self.topology.vertices[arrival.vertex], arrival.at, arrival.context)
        if self._endless and arrival.failure is None:
            arrival = replace(arrival, failure=Failure(_ENDLESS, Fault.PIPELINE, self.path(visit), _ENDLESS_HINT))
        if isinstance(visit.vertex.work, OutWork):
            self._end_block(visit, visit.vertex.work, arrival.failure)
        elif arrival.failure:
            self._leave(visit, Status.FAILED, failure=arrival.failure)
        else:
            try:
                why = self._reason_to_skip(visit)
                if why:
                    self.skip(visit, *why)
                else:
                    start(self, visit)
            except EvaluationError as error:
                self.fail(visit, str(error), Fault.PIPELINE, error.hint)

    @property
    def _endless(self) -> bool:
        """Whether it has gone too far: then everything fails, and nothing turns that into something that would go on."""
        return self._steps > MAX_STEPS + ITEM_STEPS * self._items

    def _reason_to_skip(self, visit: Visit) -> tuple[str, dict[str, Value]] | None:
        vertex = visit.vertex
        values = self.values(visit)
        missing = frozenset(vertex.refs) - values.keys()
        if not vertex.needs.met(missing):
            absent = sorted(missing & vertex.needs.read())
            return f"{', '.join(absent)} was skipped", {"missing": absent}
        if vertex.when and not self.boolean(vertex.when.evaluate(values), vertex.when):
            return f"when: {vertex.when.text} is false", {"when": vertex.when.text, "values": seen(vertex.when, values)}
        return None

    def _end_block(self, visit: Visit, work: OutWork, failure: Failure | None) -> None:
        block = self.topology.blocks[visit.vertex.block]
        if not block.owner:
            self.ended = self._result(visit, work, failure)
            return
        owner = self.topology.vertices[block.owner]
        try:
            outcome = self._output(visit, work, owner, failure)
        except EvaluationError as error:
            failed = Failure(str(error), Fault.PIPELINE, self.path(visit), error.hint)
            outcome = Outcome(Status.FAILED, failure=failed)
        if outcome is None:
            return
        if isinstance(owner.work, EachWork):
            *around, index = visit.at
            self.send(Item(self.run, owner.id, tuple(around), index, outcome.status, outcome.value, outcome.failure))
        else:
            at = visit.at[:-1] if isinstance(owner.work, RepeatWork) else visit.at
            self.finish(Visit(owner, at, visit.context), outcome)

    def _output(self, visit: Visit, work: OutWork, owner: Vertex, failure: Failure | None) -> Outcome | None:
        if failure:
            return Outcome(Status.FAILED, failure=failure)
        if isinstance(owner.work, RepeatWork):
            return end_round(self, visit, owner.work, work.output)
        return Outcome(Status.VALUE, template.evaluate(work.output, self.values(visit)))

    def _result(self, visit: Visit, work: OutWork, failure: Failure | None) -> Outcome:
        if failure:
            return Outcome(Status.FAILED, failure=failure)
        try:
            output = template.evaluate(work.output, self.values(visit))
            return Outcome(Status.VALUE, conform(self.topology.output, output))
        except EvaluationError as error:
            return Outcome(Status.FAILED, failure=Failure(str(error), Fault.PIPELINE, "", error.hint))
        except Nonconforming as error:
            return Outcome(Status.FAILED, failure=Failure(f"the output is wrong: {error}", Fault.PIPELINE))


def first_failure(failures: list[Failure]) -> Failure:
    """The failure to report when several nodes failed: the same one in whatever order they came."""
    return min(failures, key=lambda one: (one.fault is Fault.DROPPED, one.path, one.reason))


def dropped(reason: str) -> Outcome:
    """The outcome of a task that was not started, since its run is ending."""
    return Outcome(Status.FAILED, failure=Failure(reason, Fault.DROPPED))
