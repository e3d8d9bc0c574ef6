"""Walk a topology from where something ended, through every node that costs no hop, until only messages are left."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

from schemas.encoding.codec import Nonconforming, conform
from schemas.inspection import show
from streams.errors import EvaluationError, MillraceError
from streams.language import template
from streams.language.expressions.condition_values import seen
from streams.language.expressions.expression import Expression
from streams.language.expressions.value_limits import SPENT, STEP, Budget, Room, Sizes
from streams.language.template import Template
from streams.language.topology import OUT, EachWork, OutWork, RepeatWork, Topology, Vertex
from streams.messages import (
    At,
    Context,
    Event,
    EventKind,
    Failure,
    Fault,
    JoinToken,
    LoopItemDone,
    LoopOpened,
    Message,
    Outcome,
    Run,
    Status,
    Task,
    Value,
)
from streams.nodes.dispatch import start
from streams.nodes.repeat import end_round
from streams.nodes.walking import Visit

MAX_STEPS = 100_000
"""Nodes and rounds that one walk may compute without a message between them; the worker does nothing else meanwhile."""

EXECUTION = 1_000_000
"""Units of work (`streams.language.expressions.value_limits`) that count as one more node execution: about 10 ms."""

Reused = Mapping[tuple[str, At], Value]
"""What services returned in the run that this one repeats, by vertex and position."""


_ENDLESS = f"more than {MAX_STEPS:,} nodes and rounds in a row without a service"
_ENDLESS_HINT = "bound the loops with `max:`, or go through a list with each"
_SPENT_HINT = "let it read and produce less, or pass large values on as objects"


class ContextLost(MillraceError):
    """Raised when a context key that is read is neither known nor skipped: a bug of the compiler, never a user's fault."""


@dataclass(frozen=True, slots=True)
class _Arrival:
    vertex: str
    at: At
    context: Context
    failure: Failure | None


class Walk:
    """One walk. It collects messages; the caller sends them: events first, then the rest."""

    def __init__(self, topology: Topology, run: Run, reused: Reused | None = None, executions: int = 0) -> None:
        """Begin a walk.

        `reused`: what services returned in the run that this one repeats; they are not called again.
        `executions`: node executions before this walk that flow has not counted yet.
        """
        self.topology = topology
        self.run = run
        self.reused: Reused = reused or {}
        self.ended: Outcome | None = None
        """The outcome of the run, once its last vertex was reached."""
        self.budget = Budget()
        self._executions = executions
        self._events: list[Event] = []
        self._others: list[Message] = []
        self._pending: deque[_Arrival] = deque()
        self._steps = 0

    def messages(self) -> list[Message]:
        """Walk as far as possible and return everything to send. The first message for flow carries the executions."""
        while self._pending:
            self._steps += 1
            self.budget.spend(STEP)
            self._arrive(self._pending.popleft())
        return [*self._events, *_counted(self._others, self.executions)]

    @property
    def executions(self) -> int:
        """Nodes, rounds and items so far, plus one for each EXECUTION units of work."""
        return self._executions + int(self.budget.spent // EXECUTION)

    # What a node's kind may do ---------------------------------------------------------------------------------

    def values(self, visit: Visit) -> dict[str, Value]:
        """Return the values that the vertex's expressions can read, by name."""
        known = visit.context.values
        return {name: known[key] for name, key in visit.vertex.refs.items() if key in known}

    def record(self, visit: Visit, templates: Mapping[str, Template]) -> dict[str, Value]:
        """Evaluate each template. Raises EvaluationError."""
        values = self.values(visit)
        return {name: self.evaluate(expression, values) for name, expression in templates.items()}

    def evaluate(self, expression: Template, values: Mapping[str, Value]) -> Value:
        """Evaluate a template within this walk's budget. Raises EvaluationError."""
        return template.evaluate(expression, values, self.budget)

    def holds(self, expression: Expression, values: Mapping[str, Value]) -> bool:
        """Evaluate a condition within this walk's budget. Raises EvaluationError, also when the value is not a bool."""
        value = expression.evaluate(values, Room(self.budget))
        if not isinstance(value, bool):
            raise EvaluationError(f"{expression.text}: a condition gave {show(value)}, not true or false")
        return value

    def restrict(self, context: Context, keys: frozenset[str]) -> Context:
        """Keep only these keys. Raises ContextLost when a key is neither known nor skipped."""
        values = {key: context.values[key] for key in keys if key in context.values}
        skipped = context.skipped & keys
        if len(values) + len(skipped) < len(keys):
            raise ContextLost(f"run {self.run.id}: nothing is known of {sorted(keys - values.keys() - skipped)}")
        return Context(values, skipped)

    def kept(self, visit: Visit) -> Context:
        """Return what must survive the vertex's work."""
        return self.restrict(visit.context, visit.vertex.carried_keys)

    def path(self, visit: Visit) -> str:
        """Return the printed place, such as `faces[3].thumb`."""
        return self.topology.path(visit.vertex.id, visit.at)

    def emit(self, message: Message) -> None:
        """Send a message other than an event."""
        self.budget.spend(_weight(message, self.budget.sizes))
        self._others.append(message)

    def emit_event(self, visit: Visit, kind: EventKind, data: Mapping[str, Value], attempt: int = 0) -> None:
        """Send an event of a vertex."""
        self.budget.spend(self.budget.sizes.of(data))
        self._events.append(Event(self.run, kind, visit.vertex.id, visit.at, self.path(visit), attempt, data))

    def enter(self, block: str, at: At, context: Context) -> None:
        """Begin a block: everything in it that waits for nothing."""
        for edge in self.topology.blocks[block].entry:
            self._deliver(edge.target, at, "", self.restrict(context, edge.carry), None, Status.VALUE)

    def schedule(self, vertex: str, at: At, context: Context, failure: Failure | None = None) -> None:
        """Visit a vertex whose edges have all delivered, later in this walk."""
        self._pending.append(_Arrival(vertex, at, context, failure))

    def skip(self, visit: Visit, reason: str, because: Mapping[str, Value] | None = None) -> None:
        """Skip the node, and with it what strictly needs it. `because`: the condition and the values it read."""
        self.emit_event(visit, EventKind.SKIPPED, {"reason": reason, **(because or {})})
        self._complete(visit, Status.SKIPPED)

    def fail(self, visit: Visit, reason: str, fault: Fault, hint: str = "") -> None:
        """Fail the node."""
        self.finish(visit, Outcome(Status.FAILED, failure=Failure(reason, fault, self.path(visit), hint)))

    def reuse(self, visit: Visit) -> bool:
        """Finish the node with the value of the run that this one repeats; return False without one."""
        place = (visit.vertex.id, visit.at)
        if place not in self.reused:
            return False
        self.finish(visit, Outcome(Status.VALUE, self.reused[place]), about={"reused": True})
        return True

    def finish(
        self, visit: Visit, outcome: Outcome, attempt: int = 0, about: Mapping[str, Value] | None = None
    ) -> None:
        """End the node's work: emit its event, apply its `on_error`, and follow its edges."""
        if outcome.failure is None:
            self.emit_event(
                visit, EventKind.FINISHED, {"output": outcome.value, **outcome.about, **(about or {})}, attempt
            )
            self._complete(visit, Status.VALUE, outcome.value)
            return
        failure = outcome.failure
        if failure.fault is Fault.DROPPED:
            self.emit_event(visit, EventKind.SKIPPED, {"reason": failure.reason}, attempt)
            self._complete(visit, Status.FAILED, failure=failure)
            return
        handled, value = self._handled(visit)
        data = {"reason": failure.reason, "fault": failure.fault.value, "at": failure.path, "hint": failure.hint}
        self.emit_event(visit, EventKind.FAILED, {**data, "on_error": handled or "fail"}, attempt)
        if handled == "skip":
            self._complete(visit, Status.SKIPPED)
        elif handled == "use":
            self._complete(visit, Status.VALUE, value)
        else:
            self._complete(visit, Status.FAILED, failure=failure)

    # How it continues --------------------------------------------------------------------------------------------

    def _handled(self, visit: Visit) -> tuple[str | None, Value]:
        """Return what `on_error` turns a failure into; None and None when the failure stands.

        It stands also when the value to use cannot be computed.
        """
        on_error = visit.vertex.on_error
        if self._over is not None:
            return None, None
        if on_error.action == "skip":
            return "skip", None
        if on_error.value is None:
            return None, None
        values = self.values(visit)
        if not template.needs(on_error.value).met(frozenset(visit.vertex.refs) - values.keys()):
            return None, None
        try:
            return "use", self.evaluate(on_error.value, values)
        except EvaluationError:
            return None, None

    def _complete(self, visit: Visit, status: Status, value: Value = None, failure: Failure | None = None) -> None:
        vertex, context = visit.vertex, visit.context
        if status is Status.VALUE:
            context = Context({**context.values, vertex.id: value}, context.skipped)
        else:  # a failure carries its context too: an `on_error` further out may turn it into something that continues
            context = Context(context.values, context.skipped | {vertex.id})
        for edge in vertex.targets:
            self._deliver(edge.target, visit.at, vertex.id, self.restrict(context, edge.carry), failure, status)

    def _deliver(
        self, target: str, at: At, edge: str, context: Context, failure: Failure | None, status: Status
    ) -> None:
        if self.topology.vertices[target].joins and not (self.run.straight and target == OUT):
            self.emit(JoinToken(self.run, target, at, edge, status, context, failure))
        else:
            self._pending.append(_Arrival(target, at, context, failure))

    def _arrive(self, arrival: _Arrival) -> None:
        visit = Visit(self.topology.vertices[arrival.vertex], arrival.at, arrival.context)
        self._executions += self._counts(visit.vertex)
        if self._over is not None and arrival.failure is None:
            path = "" if arrival.vertex == OUT else self.path(visit)  # a straight run reaches its own end
            arrival = replace(arrival, failure=replace(self._over, path=path))
        if isinstance(visit.vertex.work, OutWork):
            self._end_block(visit, visit.vertex.work, arrival.failure)
        elif arrival.failure:
            self._complete(visit, Status.FAILED, failure=arrival.failure)
        else:
            try:
                skip = self._reason_to_skip(visit)
                if skip:
                    self.skip(visit, *skip)
                else:
                    start(self, visit)
            except EvaluationError as error:
                self.fail(visit, str(error), Fault.PIPELINE, error.hint)

    @property
    def _over(self) -> Failure | None:
        """Why the walk exceeded a limit; then everything fails, and no `on_error` applies. None within the limits."""
        if self._steps > MAX_STEPS:
            return Failure(_ENDLESS, Fault.PIPELINE, hint=_ENDLESS_HINT)
        if self.budget.left < 0:
            return Failure(SPENT, Fault.PIPELINE, hint=_SPENT_HINT)
        if self.executions > self.topology.executions:
            return too_many(self.topology)
        return None

    def _counts(self, vertex: Vertex) -> bool:
        """Return whether reaching a vertex counts as an execution: a node does, and the end of a round or an item."""
        if not isinstance(vertex.work, OutWork):
            return True
        owner = self.topology.blocks[vertex.block].owner
        return bool(owner) and isinstance(self.topology.vertices[owner].work, EachWork | RepeatWork)

    def _reason_to_skip(self, visit: Visit) -> tuple[str, dict[str, Value]] | None:
        """Return why a node is skipped, in words and as data; None when it is not."""
        vertex = visit.vertex
        values = self.values(visit)
        missing = frozenset(vertex.refs) - values.keys()
        if not vertex.needs.met(missing):
            absent = sorted(missing & vertex.needs.read())
            return f"{', '.join(absent)} was skipped", {"missing": absent}
        if vertex.when and not self.holds(vertex.when, values):
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
            self.emit(
                LoopItemDone(self.run, owner.id, tuple(around), index, outcome.status, outcome.value, outcome.failure)
            )
        else:
            at = visit.at[:-1] if isinstance(owner.work, RepeatWork) else visit.at
            self.finish(Visit(owner, at, visit.context), outcome)

    def _output(self, visit: Visit, work: OutWork, owner: Vertex, failure: Failure | None) -> Outcome | None:
        if failure:
            return Outcome(Status.FAILED, failure=failure)
        if isinstance(owner.work, RepeatWork):
            return end_round(self, visit, owner.work, work.output)
        return Outcome(Status.VALUE, self.evaluate(work.output, self.values(visit)))

    def _result(self, visit: Visit, work: OutWork, failure: Failure | None) -> Outcome:
        if failure:
            return Outcome(Status.FAILED, failure=failure)
        try:
            output = self.evaluate(work.output, self.values(visit))
            return Outcome(Status.VALUE, conform(self.topology.output, output))
        except EvaluationError as error:
            return Outcome(Status.FAILED, failure=Failure(str(error), Fault.PIPELINE, "", error.hint))
        except Nonconforming as error:
            return Outcome(Status.FAILED, failure=Failure(f"the output is wrong: {error}", Fault.PIPELINE))


def too_many(topology: Topology) -> Failure:
    """Return the failure of a run that exceeds its limit of executions."""
    reason = f"more than {topology.executions:,} nodes, rounds and items, which is the run's limit"
    return Failure(reason, Fault.PIPELINE, hint="raise the pipeline's `limit:`, or let it go through less")


def _counted(messages: list[Message], executions: int) -> list[Message]:
    for number, message in enumerate(messages):
        if executions and isinstance(message, Task | JoinToken | LoopOpened | LoopItemDone):
            return [*messages[:number], replace(message, executions=executions), *messages[number + 1 :]]
    return messages


def _weight(message: Message, sizes: Sizes) -> int:
    """Return the size of the values that a message carries."""
    match message:
        case Task():
            return sizes.of(message.input) + sizes.of(message.context.values)
        case JoinToken():
            return sizes.of(message.context.values)
        case LoopOpened():
            return sizes.of(message.items) + sizes.of(message.body.values) + sizes.of(message.after.values)
        case LoopItemDone():
            return sizes.of(message.value)
    return 0


def first_failure(failures: list[Failure]) -> Failure:
    """Return the failure to report when several nodes failed; it does not depend on their order."""
    return min(failures, key=lambda failure: (failure.fault is Fault.DROPPED, failure.path, failure.reason))


def dropped(reason: str) -> Outcome:
    """Return the outcome of a task that was not started because its run is ending."""
    return Outcome(Status.FAILED, failure=Failure(reason, Fault.DROPPED))
