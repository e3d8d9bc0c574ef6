"""What one message changes in an open run: its joins, its loops and its end. Pure: it returns what to send and what to store."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from streams.flow.run_state import Loop, Place, RunState
from streams.flow.state_rows import DONE as DONE_ROW
from streams.flow.state_rows import Row, closed_row, ended_row, fatal_row, item_row, loop_row, stop_row, token_row
from streams.flow.walk import Walk, first_failure, too_many
from streams.language.topology import EachWork, Topology, Vertex, Wait
from streams.lifecycle import DEADLINE_PASSED, ENDINGS
from streams.messages import (
    Action,
    At,
    Context,
    Control,
    Ending,
    Event,
    EventKind,
    Failure,
    Fault,
    FlowMessage,
    JoinToken,
    LoopItemDone,
    LoopOpened,
    Message,
    Outcome,
    Result,
    Run,
    Status,
    StopSignal,
)
from streams.nodes.each import enter_item
from streams.nodes.walking import Visit

OVERDUE = Failure(
    DEADLINE_PASSED,
    Fault.SERVICE,
    hint="raise the pipeline's `timeout:`, or see which service it waited for",
)
DEADLY = Failure(
    "the flow worker died each time it handled a message of this run",
    Fault.SERVICE,
    hint="its dead letter holds the message; its values may be too large for the pipeline",
)
REASONS: Mapping[Ending, Failure] = {
    Ending.CANCEL: Failure("cancelled", Fault.CALLER),
    Ending.DEADLINE: OVERDUE,
    Ending.DEADLY: DEADLY,
}
"""What the last event of a run says when it is ended from outside."""

ITEMS = 1024
"""Items of a run that may be dispatched at once in nested loops; each loop may always dispatch one."""

AT_ONCE = 16_000_000
"""Units of work (`streams.language.expressions.value_limits`) after which a loop dispatches no more items at once: about 0.2 s."""


@dataclass(frozen=True)
class Timer:
    """A message that enters `flow.tokens` at a time (epoch seconds)."""

    at: float
    stop: StopSignal


@dataclass
class Step:
    """What follows from one message, in this order: `before` and the events, the other `messages`, `after`, acknowledgement."""

    state: RunState | None
    before: list[Row] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    after: list[Row] = field(default_factory=list)
    timers: list[Timer] = field(default_factory=list)
    work: float = 0.0
    """Units of work that it took (`streams.language.expressions.value_limits`)."""


def run_timer(run: Run) -> Timer:
    """Return the timer of a run's deadline."""
    return Timer(run.deadline, StopSignal(run.id, Ending.DEADLINE))


def join_timer(vertex: Vertex, state: RunState, place: Place) -> Timer | None:
    """Return the timer of a join that has its first token; None for a node without a deadline."""
    if vertex.deadline is None:
        return None
    return Timer(state.since[place] + vertex.deadline, StopSignal(state.run.id, Ending.DEADLINE, *place))


def ended(run: Run, kind: EventKind, failure: Failure | None = None, output: Any = None) -> Event:
    """Return the last event of a run; `failure` is None for one that finished with `output`."""
    data: dict[str, Any] = {"output": output}
    if failure is not None:
        data = {"reason": failure.reason, "fault": failure.fault.value, "hint": failure.hint}
        if failure.path:
            data["at"] = failure.path
    return Event(run, kind, data=data)


def close(state: RunState, kind: EventKind, removed: Iterable[str] = ()) -> list[Row]:
    """Make a state that of a run that is over, and return the rows that replace all others: `removed` and those it has."""
    run, rows = state.run.id, state.rows.union(removed) - {DONE_ROW}
    state.opened, state.done, state.rows, state.stopping, state.executions = True, kind, {DONE_ROW}, None, 0
    state.joins, state.loops, state.since, state.closed, state.ended, state.reused = {}, {}, {}, set(), set(), {}
    # The marker comes first: after a crash between two rows the run must still be known.
    return [Row(run, DONE_ROW, {"kind": kind.value, "opened": True}), *(Row(run, row, None) for row in sorted(rows))]


class MessageHandler:
    """Handles one message of an open run; `step` holds what follows from it."""

    def __init__(self, topology: Topology, state: RunState, now: float) -> None:
        self.topology, self.state, self.now = topology, state, now
        self.step = Step(state)

    def walk(self) -> Walk:
        """Return a new walk over the run's topology."""
        return Walk(self.topology, self.state.run, self.state.reused)

    def handle(self, message: FlowMessage) -> None:
        """Handle a message, or end the run when that is due whatever the message says."""
        ending = self._due_ending(message)
        if ending is not None:
            if isinstance(message, JoinToken | LoopItemDone):
                self.step.messages.extend(message.said)
            self._handle_stop(StopSignal(self.state.run.id, ending))
        elif isinstance(message, JoinToken):
            self._handle_token(message)
        elif isinstance(message, LoopOpened):
            self._handle_opened(message)
        elif isinstance(message, LoopItemDone):
            self._handle_item(message)
        elif isinstance(message, StopSignal):
            self._handle_stop(message)

    def _due_ending(self, message: FlowMessage) -> Ending | None:
        """Return why the run ends now: decided before its worker was lost, or its deadline has passed; None otherwise."""
        ends_by_itself = isinstance(message, StopSignal) and message.join is None
        if self.state.stopping is None and self.now >= self.state.run.deadline and not ends_by_itself:
            return Ending.DEADLINE
        return self.state.stopping

    # Joins -----------------------------------------------------------------------------------------------------

    def _handle_token(self, token: JoinToken) -> None:
        self.step.messages.extend(token.said)
        place = (token.join, token.at)
        if place in self.state.closed:
            return
        tokens = self.state.joins.setdefault(place, {})
        if token.edge in tokens:
            return
        vertex = self.topology.vertices[token.join]
        tokens[token.edge] = replace(token, said=())
        if self._too_many(token.executions):
            return
        if token.failure and vertex.fatal and vertex.wait is Wait.ALL:
            self._abort(token.failure)
        expected = len(vertex.sources) or 1
        if len(tokens) == expected or (vertex.wait is Wait.ANY and token.status is Status.VALUE):
            self._close_join(vertex, place, tokens)
            return
        if place not in self.state.since:
            self.state.since[place] = self.now
            timer = join_timer(vertex, self.state, place)
            self.step.timers.extend([timer] if timer else [])
        self._write(token_row(token, self.state.since[place]))

    def _close_join(self, vertex: Vertex, place: Place, tokens: Mapping[str, JoinToken]) -> None:
        delivered = [token for token in tokens.values() if token.status is Status.VALUE]
        failures = [token.failure for token in tokens.values() if token.failure]
        walk = self.walk()
        if vertex.wait is Wait.ANY and delivered:
            walk.schedule(vertex.id, place[1], self._merge(vertex, {delivered[0].edge: delivered[0]}))
        elif failures:
            walk.schedule(vertex.id, place[1], self._merge(vertex, tokens), first_failure(failures))
        else:
            walk.schedule(vertex.id, place[1], self._merge(vertex, tokens))
        self._forget_join(place, tokens)
        self.emit(walk)

    def _merge(self, vertex: Vertex, tokens: Mapping[str, JoinToken]) -> Context:
        """Merge the contexts of tokens; what only a missing token would have carried counts as skipped."""
        values: dict[str, Any] = {}
        skipped: set[str] = set()
        for token in tokens.values():
            values.update(token.context.values)
            skipped |= token.context.skipped
        absent = [
            edge.carry for source in vertex.sources for edge in self._edges(source, vertex.id) if source not in tokens
        ]
        return Context(values, frozenset(skipped.union(*absent) - values.keys()))

    def _edges(self, source: str, target: str) -> list[Any]:
        return [edge for edge in self.topology.vertices[source].targets if edge.target == target]

    # Loops -----------------------------------------------------------------------------------------------------

    def _loop(self, place: Place) -> Loop:
        return self.state.loops.setdefault(place, Loop())

    def _handle_opened(self, opened: LoopOpened) -> None:
        place = (opened.loop, opened.at)
        if place in self.state.ended:
            return
        loop = self._loop(place)
        first = loop.opened is None
        if first:
            loop.opened = opened
            if self._too_many(opened.executions, len(opened.items)):
                return
        # A repeated delivery dispatches unfinished items again, because flow does not know whether it sent them before.
        if not self._advance_loop(place, loop, opened, 0) and first:
            self._write(loop_row(opened, loop.dispatched))

    def _handle_item(self, item: LoopItemDone) -> None:
        self.step.messages.extend(item.said)
        place = (item.loop, item.at)
        if place in self.state.ended:
            return
        loop = self._loop(place)
        if item.index in loop.items:
            return
        loop.take(replace(item, said=()))
        if self._too_many(item.executions):
            return
        vertex = self.topology.vertices[item.loop]
        if item.failure and vertex.fatal and vertex.on_error.action == "fail":
            self._abort(item.failure)
        if loop.opened is not None and self._advance_loop(place, loop, loop.opened, loop.dispatched):
            return
        self._write(item_row(item, loop.dispatched))

    def _advance_loop(self, place: Place, loop: Loop, opened: LoopOpened, begin: int) -> bool:
        """Dispatch items from `begin` as far as the window allows; return whether the loop has ended."""
        count, ended = len(opened.items), len(loop.items)
        if loop.failures:
            window = loop.dispatched  # a failed loop begins no further items
        else:
            window = min(count, max(loop.dispatched, ended + self._window(opened.loop, opened.at)))
        if ended == window:
            self._close_loop(place, loop, opened)
            return True
        self._dispatch(loop, opened, begin, window)
        return False

    def _dispatch(self, loop: Loop, opened: LoopOpened, begin: int, end: int) -> None:
        """Dispatch the items in [begin, end) that have not ended, each with a budget of its own.

        After AT_ONCE units of work it stops; the rest begin as these end, so that other runs get their turn.
        """
        spent = 0.0
        for index in range(begin, end):
            if index not in loop.items:
                walk = self.walk()
                enter_item(walk, opened, index)
                self.emit(walk)
                spent += walk.budget.spent
            loop.dispatched = max(loop.dispatched, index + 1)
            if spent > AT_ONCE:
                break

    def _close_loop(self, place: Place, loop: Loop, opened: LoopOpened) -> None:
        if loop.failures:
            outcome = Outcome(Status.FAILED, failure=first_failure(loop.failures))
        else:
            outcome = Outcome(Status.VALUE, [loop.items[index].value for index in range(len(opened.items))])
        walk = self.walk()
        walk.finish(Visit(self.topology.vertices[opened.loop], opened.at, opened.after), outcome)
        self.state.ended.add(place)
        del self.state.loops[place]
        rows = [loop_row(opened, 0).row, *(item_row(item, 0).row for item in loop.items.values())]
        self._replace(rows, ended_row(self.state.run.id, *place, loop.executions))
        self.emit(walk)

    def _window(self, loop: str, at: At) -> int:
        """Return how many items of a loop may be dispatched at once: its share of ITEMS among the loops around it."""
        around = 1
        for depth, outer in enumerate(self.topology.vertices[loop].loops):
            parent = self.state.loops.get((outer, at[:depth]))  # None for a `repeat`
            if parent is not None and parent.opened is not None:
                around *= min(len(parent.opened.items), self._window(outer, at[:depth]))
        return min(self._work(loop).concurrency, max(1, ITEMS // around))

    def _work(self, loop: str) -> EachWork:
        work = self.topology.vertices[loop].work
        assert isinstance(work, EachWork)
        return work

    # Ends ------------------------------------------------------------------------------------------------------

    def _handle_stop(self, stop: StopSignal) -> None:
        if stop.join is not None:
            self._give_up(stop.join, stop.at)
            return
        self._record_ending(stop.ending)
        self._abort_tasks()
        self.end(ENDINGS[stop.ending], REASONS[stop.ending])

    def _record_ending(self, ending: Ending) -> None:
        """Write down why the run ends before its last event is sent: the log's order alone does not tell it."""
        if self.state.stopping is None:
            self.state.stopping = ending
            row = stop_row(self.state.run.id, ending)
            self.state.rows.add(row.row)
            self.step.before.append(row)

    def _too_many(self, executions: int, more: int = 0) -> bool:
        """Count executions, with `more` expected; end the run and return True when they exceed its limit."""
        self.state.executions += executions
        if self.state.executions + more <= self.topology.executions:
            return False
        self._abort_tasks()
        self.end(EventKind.RUN_FAILED, too_many(self.topology))
        return True

    def _give_up(self, join: str, at: At) -> None:
        """Close a join at its deadline: the node fails, and its `on_error` decides what follows."""
        place = (join, at)
        tokens = self.state.joins.get(place, {})
        if place in self.state.closed or not tokens:
            return
        vertex = self.topology.vertices[join]
        failures = [token.failure for token in tokens.values() if token.failure]
        missing = ", ".join(source for source in vertex.sources if source not in tokens)
        walk = self.walk()
        if failures:  # the node fails because of an input, not because of its deadline
            walk.schedule(vertex.id, at, self._merge(vertex, tokens), first_failure(failures))
        else:
            reason = f"gave up waiting for {missing} after {vertex.deadline:g} s"
            walk.fail(Visit(vertex, at, self._merge(vertex, tokens)), reason, Fault.SERVICE)
        self._forget_join(place, tokens)
        self.emit(walk)

    def _abort(self, failure: Failure) -> None:
        """Stop starting tasks, because the run cannot survive this failure.

        The failure is kept, because a dropped task may reach the end of the run before the failure does.
        """
        if self.state.fatal is None and failure.fault is not Fault.DROPPED:
            self._abort_tasks()
            self.state.fatal = failure
            self._write(fatal_row(self.state.run.id, failure))

    def _abort_tasks(self) -> None:
        """Let workers drop the run's tasks, once."""
        if self.state.fatal is None:
            self.step.messages.append(Control(self.state.run.id, Action.ABORT))

    def end(self, kind: EventKind, failure: Failure | None = None, output: Any = None) -> None:
        """End the run: emit its last event and its result, and replace its rows by one."""
        run = self.state.run
        self.step.messages.append(ended(run, kind, failure, output))
        if not run.shadow_of:
            self.step.messages.append(Result(run, kind, output, failure))
        removed = {row.row for row in self.step.after if row.value is None}  # rows of places closed by this message
        self.step.after = close(self.state, kind, removed)

    # Effects ---------------------------------------------------------------------------------------------------

    def emit(self, walk: Walk) -> None:
        """Emit what a walk collected, and end the run when the walk reached its end."""
        self.step.messages.extend(walk.messages())
        self.step.work += walk.budget.spent
        if walk.ended is None or self.state.done:
            return
        failure = walk.ended.failure
        if failure is None:
            self.end(EventKind.RUN_FINISHED, output=walk.ended.value)
        elif failure.fault is Fault.DROPPED:  # after an earlier failure, or a worker noticed the deadline before flow
            self.end(EventKind.RUN_FAILED, self.state.fatal or OVERDUE)
        else:
            self.end(EventKind.RUN_FAILED, failure)

    def _write(self, row: Row) -> None:
        self.state.rows.add(row.row)
        self.step.after.append(row)

    def _forget_join(self, place: Place, tokens: Mapping[str, JoinToken]) -> None:
        """Forget the tokens of a join; a marker stays for late tokens."""
        self.state.closed.add(place)
        self.state.joins.pop(place, None)
        self.state.since.pop(place, None)
        rows = [token_row(token, 0.0).row for token in tokens.values()]
        executions = sum(token.executions for token in tokens.values())
        self._replace(rows, closed_row(self.state.run.id, *place, executions))

    def _replace(self, rows: list[str], marker: Row) -> None:
        """Write a marker, then remove the rows that it replaces."""
        present = [row for row in rows if row in self.state.rows]
        self.state.rows.difference_update(present)
        self._write(marker)
        self.step.after.extend(Row(self.state.run.id, row, None) for row in present)
