"""The state of one run between its tasks: joins, loops and its end. Pure: what to send and what to keep, nothing is done here.

A run's messages are taken one after another in the order of `flow.tokens`; that order alone decides which end comes first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from streams.flow.run_state import Loop, Place, RunState
from streams.flow.state_rows import DONE as DONE_ROW
from streams.flow.state_rows import (
    Row,
    closed_row,
    ended_row,
    fatal_row,
    item_row,
    loop_row,
    open_row,
    reused_row,
    stop_row,
    token_row,
)
from streams.flow.walk import Walk, first_failure, too_many
from streams.language.topology import EachWork, Topology, Vertex, Wait
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
    Item,
    Message,
    Opened,
    Outcome,
    Result,
    Run,
    Start,
    Status,
    Stop,
    Token,
)
from streams.nodes.each import enter_item
from streams.nodes.walking import Visit

OVERDUE = Failure(
    "the run's deadline passed",
    Fault.SERVICE,
    hint="raise the pipeline's `timeout:`, or see which service it waited for",
)
"""Why a run fails that is not over in time."""

DEADLY = Failure(
    "the worker that carries runs on died each time that it took a message of this one",
    Fault.SERVICE,
    hint="its dead letter has the message; the values may be more than the pipeline can take",
)
"""Why a run fails of which a message ends its reader."""

ITEMS = 1024
"""Items of a run that may be at work in loops inside each other; one of each loop always may."""

AT_ONCE = 16_000_000
"""Units of work (`streams.language.expressions.value_limits`) after which no more items of a loop are begun with others: some 0.2 s."""


@dataclass(frozen=True)
class Timer:
    """When (epoch seconds) this message is to enter `flow.tokens`."""

    at: float
    stop: Stop


@dataclass
class Step:
    """What one message leads to. In this order: `before` and the events, the other `messages`, `after`, acknowledgement."""

    state: RunState | None
    before: list[Row] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    after: list[Row] = field(default_factory=list)
    timers: list[Timer] = field(default_factory=list)
    work: float = 0.0
    """Units of work that it took (`streams.language.expressions.value_limits`)."""


def step(topology: Topology | None, state: RunState | None, message: FlowMessage, now: float) -> Step:
    """Take one message of a run. `topology` is the one of the run's digest: `state.run` where there is a state.

    A message of a run that is over, or was never opened, changes nothing: it came late. A repeated message sends the same
    messages again (their ids are the same) or nothing.
    """
    if isinstance(message, Stop) and (state is None or not state.opened):
        return _stop_unopened(state, message)
    if isinstance(message, Start):
        assert topology is not None
        return _start(topology, state, message, now)
    if state is None or state.done or topology is None:
        return Step(state)
    taken = _Taken(topology, state, now)
    taken.take(message)
    return taken.step


def over(state: RunState | None) -> bool:
    """Whether a run has begun and ended: nothing that comes for it changes anything."""
    return state is not None and state.opened and state.done is not None


def _ends(message: FlowMessage) -> bool:
    """Whether it ends a run by itself."""
    return isinstance(message, Stop) and message.join is None


def timers(topology: Topology, state: RunState) -> list[Timer]:
    """The timers of a run whose state was rebuilt."""
    if state.done or not state.opened:
        return []
    waiting = [_join_timer(topology.vertices[place[0]], state, place) for place in state.joins]
    return [_deadline(state.run), *(timer for timer in waiting if timer)]


def _deadline(run: Run) -> Timer:
    return Timer(run.deadline, Stop(run.id, Ending.DEADLINE))


def _join_timer(vertex: Vertex, state: RunState, place: Place) -> Timer | None:
    if vertex.deadline is None:
        return None
    return Timer(state.since[place] + vertex.deadline, Stop(state.run.id, Ending.DEADLINE, *place))


def _stop_unopened(state: RunState | None, stop: Stop) -> Step:
    """A cancellation that overtook its run: kept until the run comes. A deadline of a run nobody knows is late."""
    if stop.ending is not Ending.CANCEL or (state and state.done):
        return Step(state)
    made = RunState(Run(stop.run, "", "", 0.0), done=EventKind.RUN_CANCELLED, rows={DONE_ROW})
    return Step(made, after=[Row(stop.run, DONE_ROW, {"kind": EventKind.RUN_CANCELLED.value, "opened": False})])


def _start(topology: Topology, state: RunState | None, start: Start, now: float) -> Step:
    if state and state.opened and (state.done or start.refused):
        return Step(state)  # it was over, or under way, before this request came again
    if state and state.stopping:
        taken = _Taken(topology, state, now)
        taken.take(start)
        return taken.step
    cancelled = bool(state and state.done)
    made = state if state and state.opened else RunState(start.run, opened=True)
    made.reused = dict(start.reused)
    rows = [open_row(made.run), *(reused_row(made.run.id, *place, value) for place, value in start.reused.items())]
    made.rows.update(row.row for row in rows)
    taken = _Taken(topology, made, now)
    taken.step.before.extend(rows)
    accepted = {
        "pipeline": made.run.pipeline,
        "digest": made.run.digest,
        "input": dict(start.input),
        "source": start.source,
        **start.origin,
    }
    if made.run.shadow_of:
        accepted["shadow_of"] = made.run.shadow_of
    event = Event(made.run, EventKind.ACCEPTED, data=accepted)
    if cancelled:
        taken.step.messages.append(event)
        taken.end(EventKind.RUN_CANCELLED, Failure("cancelled before it began", Fault.CALLER))
        return taken.step
    if start.refused:
        taken.step.messages.append(event)
        taken.end(EventKind.RUN_FAILED, start.refused)
        return taken.step
    if now >= made.run.deadline:
        taken.step.messages.append(event)
        taken.end(EventKind.RUN_FAILED, OVERDUE)
        return taken.step
    taken.step.timers.append(_deadline(made.run))
    walk = taken.walk()
    walk.enter("", (), Context({f":{name}": value for name, value in start.input.items()}))
    taken.step.messages.append(event)
    taken.send(walk)
    return taken.step


class _Taken:
    """One message being taken."""

    def __init__(self, topology: Topology, state: RunState, now: float) -> None:
        self.topology, self.state, self.now = topology, state, now
        self.step = Step(state)

    def walk(self) -> Walk:
        return Walk(self.topology, self.state.run, self.state.reused)

    def take(self, message: FlowMessage) -> None:
        ending = self._ending(message)
        if ending is not None:
            if isinstance(message, Token | Item):
                self.step.messages.extend(message.said)
            self._stop(Stop(self.state.run.id, ending))
        elif isinstance(message, Token):
            self._token(message)
        elif isinstance(message, Opened):
            self._opened(message)
        elif isinstance(message, Item):
            self._item(message)
        elif isinstance(message, Stop):
            self._stop(message)

    def _ending(self, message: FlowMessage) -> Ending | None:
        """How the run ends now, whatever comes: as it was decided before its worker was lost, or because its time is up."""
        if self.state.stopping is None and self.now >= self.state.run.deadline and not _ends(message):
            return Ending.DEADLINE
        return self.state.stopping

    # Joins -----------------------------------------------------------------------------------------------------

    def _token(self, token: Token) -> None:
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
            timer = _join_timer(vertex, self.state, place)
            self.step.timers.extend([timer] if timer else [])
        self._keep(token_row(token, self.state.since[place]))

    def _close_join(self, vertex: Vertex, place: Place, tokens: Mapping[str, Token]) -> None:
        delivered = [one for one in tokens.values() if one.status is Status.VALUE]
        failures = [one.failure for one in tokens.values() if one.failure]
        walk = self.walk()
        if vertex.wait is Wait.ANY and delivered:
            walk.schedule(vertex.id, place[1], self._union(vertex, {delivered[0].edge: delivered[0]}))
        elif failures:
            walk.schedule(vertex.id, place[1], self._union(vertex, tokens), first_failure(failures))
        else:
            walk.schedule(vertex.id, place[1], self._union(vertex, tokens))
        self._close(place, tokens)
        self.send(walk)

    def _union(self, vertex: Vertex, tokens: Mapping[str, Token]) -> Context:
        """What the tokens bring together; what only a missing one would have brought counts as skipped."""
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

    def _opened(self, opened: Opened) -> None:
        place = (opened.loop, opened.at)
        if place in self.state.ended:
            return
        loop = self._loop(place)
        first = loop.opened is None
        if first:
            loop.opened = opened
            if self._too_many(opened.executions, len(opened.items)):
                return
        # A repeated delivery dispatches again what has not ended: whether it was sent before is not known.
        if not self._go_on(place, loop, opened, 0) and first:
            self._keep(loop_row(opened, loop.dispatched))

    def _item(self, item: Item) -> None:
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
        if loop.opened is not None and self._go_on(place, loop, loop.opened, loop.dispatched):
            return
        self._keep(item_row(item, loop.dispatched))

    def _go_on(self, place: Place, loop: Loop, opened: Opened, begin: int) -> bool:
        """Begin the items from `begin` that may be at work by now; True when all have ended, and the loop with them."""
        count, ended = len(opened.items), len(loop.items)
        if loop.failures:
            window = loop.dispatched  # what has not begun is not begun any more
        else:
            window = min(count, max(loop.dispatched, ended + self._places(opened.loop, opened.at)))
        if ended == window:
            self._close_loop(place, loop, opened)
            return True
        self._dispatch(loop, opened, begin, window)
        return False

    def _dispatch(self, loop: Loop, opened: Opened, begin: int, end: int) -> None:
        """Begin the items from `begin` to before `end` that have not ended: each on a budget of its own.

        When those so far were much work, the others are begun as these end: other runs have their turn between.
        """
        spent = 0.0
        for index in range(begin, end):
            if index not in loop.items:
                walk = self.walk()
                enter_item(walk, opened, index)
                self.send(walk)
                spent += walk.budget.spent
            loop.dispatched = max(loop.dispatched, index + 1)
            if spent > AT_ONCE:
                break

    def _close_loop(self, place: Place, loop: Loop, opened: Opened) -> None:
        if loop.failures:
            outcome = Outcome(Status.FAILED, failure=first_failure(loop.failures))
        else:
            outcome = Outcome(Status.VALUE, [loop.items[index].value for index in range(len(opened.items))])
        walk = self.walk()
        walk.finish(Visit(self.topology.vertices[opened.loop], opened.at, opened.after), outcome)
        self.state.ended.add(place)
        del self.state.loops[place]
        gone = [loop_row(opened, 0).row, *(item_row(one, 0).row for one in loop.items.values())]
        self._replace(gone, ended_row(self.state.run.id, *place, loop.executions))
        self.send(walk)

    def _places(self, loop: str, at: At) -> int:
        """How many items of a loop may be at work: a share of ITEMS, where it stands among the items of others."""
        around = 1
        for depth, outer in enumerate(self.topology.vertices[loop].loops):
            parent = self.state.loops.get((outer, at[:depth]))  # a `repeat` is none
            if parent is not None and parent.opened is not None:
                around *= min(len(parent.opened.items), self._places(outer, at[:depth]))
        return min(self._work(loop).concurrency, max(1, ITEMS // around))

    def _work(self, loop: str) -> EachWork:
        work = self.topology.vertices[loop].work
        assert isinstance(work, EachWork)
        return work

    # Ends ------------------------------------------------------------------------------------------------------

    def _stop(self, stop: Stop) -> None:
        if stop.join is not None:
            self._give_up(stop.join, stop.at)
        elif stop.ending is Ending.CANCEL:
            self._stopping(stop.ending)
            self._tell_workers()
            self.end(EventKind.RUN_CANCELLED, Failure("cancelled", Fault.CALLER))
        else:
            self._stopping(stop.ending)
            self._tell_workers()
            self.end(EventKind.RUN_FAILED, DEADLY if stop.ending is Ending.DEADLY else OVERDUE)

    def _stopping(self, ending: Ending) -> None:
        """Write down that the run ends so, before anybody is told: it was decided out of the order of the log."""
        if self.state.stopping is None:
            self.state.stopping = ending
            row = stop_row(self.state.run.id, ending)
            self.state.rows.add(row.row)
            self.step.before.append(row)

    def _too_many(self, executions: int, more: int = 0) -> bool:
        """Count executions, with `more` to come; whether that ends the run."""
        self.state.executions += executions
        if self.state.executions + more <= self.topology.executions:
            return False
        self._tell_workers()
        self.end(EventKind.RUN_FAILED, too_many(self.topology))
        return True

    def _give_up(self, join: str, at: At) -> None:
        """A join's deadline: the node fails, and its `on_error` says what comes of it."""
        place = (join, at)
        tokens = self.state.joins.get(place, {})
        if place in self.state.closed or not tokens:
            return
        vertex = self.topology.vertices[join]
        failures = [one.failure for one in tokens.values() if one.failure]
        missing = ", ".join(source for source in vertex.sources if source not in tokens)
        walk = self.walk()
        if failures:  # what it waited for can only have failed the same way: this is no failure of its own
            walk.schedule(vertex.id, at, self._union(vertex, tokens), first_failure(failures))
        else:
            reason = f"waited {vertex.deadline:g} s in vain for {missing}"
            walk.fail(Visit(vertex, at, self._union(vertex, tokens)), reason, Fault.SERVICE)
        self._close(place, tokens)
        self.send(walk)

    def _abort(self, failure: Failure) -> None:
        """The run cannot survive this failure: what has not begun need not begin.

        The failure is kept: what is dropped from now on may reach the end of the run before it does.
        """
        if self.state.fatal is None and failure.fault is not Fault.DROPPED:
            self._tell_workers()
            self.state.fatal = failure
            self._keep(fatal_row(self.state.run.id, failure))

    def _tell_workers(self) -> None:
        """Tell them once to drop what has not begun."""
        if self.state.fatal is None:
            self.step.messages.append(Control(self.state.run.id, Action.ABORT))

    def end(self, kind: EventKind, failure: Failure | None = None, output: Any = None) -> None:
        """The run is over: its last event, its result, and one row instead of all."""
        state = self.state
        data: dict[str, Any] = {"output": output}
        if failure is not None:
            data = {"reason": failure.reason, "fault": failure.fault.value, "hint": failure.hint}
            if failure.path:
                data["at"] = failure.path
        self.step.messages.append(Event(state.run, kind, data=data))
        if not state.run.shadow_of:
            self.step.messages.append(Result(state.run, kind, output, failure))
        done = Row(state.run.id, DONE_ROW, {"kind": kind.value, "opened": True})
        # The marker first: a crash between two rows must not make the run one that nobody knows.
        gone = {row.row for row in self.step.after if row.value is None}  # of places that this very message closed
        self.step.after = [done, *(Row(state.run.id, row, None) for row in sorted((state.rows | gone) - {DONE_ROW}))]
        state.done, state.rows, state.stopping, state.executions = kind, {DONE_ROW}, None, 0
        state.joins, state.loops, state.since, state.closed, state.ended, state.reused = {}, {}, {}, set(), set(), {}

    # Effects ---------------------------------------------------------------------------------------------------

    def send(self, walk: Walk) -> None:
        """Send what a walk gathered; tokens that it hands to the run's own joins go through the log like all others."""
        self.step.messages.extend(walk.messages())
        self.step.work += walk.budget.spent
        if walk.ended is None or self.state.done:
            return
        failure = walk.ended.failure
        if failure is None:
            self.end(EventKind.RUN_FINISHED, output=walk.ended.value)
        elif failure.fault is Fault.DROPPED:  # for a failure before, or a worker saw before flow that time was up
            self.end(EventKind.RUN_FAILED, self.state.fatal or OVERDUE)
        else:
            self.end(EventKind.RUN_FAILED, failure)

    def _keep(self, row: Row) -> None:
        self.state.rows.add(row.row)
        self.step.after.append(row)

    def _close(self, place: Place, tokens: Mapping[str, Token]) -> None:
        """Forget what a join held; a marker stays for late tokens."""
        self.state.closed.add(place)
        self.state.joins.pop(place, None)
        self.state.since.pop(place, None)
        gone = [token_row(one, 0.0).row for one in tokens.values()]
        told = sum(one.executions for one in tokens.values())
        self._replace(gone, closed_row(self.state.run.id, *place, told))

    def _replace(self, gone: list[str], marker: Row) -> None:
        """Write a marker, then remove the rows that it stands for."""
        present = [row for row in gone if row in self.state.rows]
        self.state.rows.difference_update(present)
        self._keep(marker)
        self.step.after.extend(Row(self.state.run.id, row, None) for row in present)
