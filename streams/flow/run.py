"""One message of a run after another: which messages a run takes in which phase. Pure: nothing is sent or stored here.

The order of `flow.tokens` is the order of a run's messages; it alone decides which end comes first. Of a straight run it is
the order of the log that decides: flow and the run's agents say an end there, and all readers keep to the first.
"""

from streams.flow.message_handler import (
    OVERDUE,
    REASONS,
    MessageHandler,
    Step,
    Timer,
    close,
    ended,
    join_timer,
    run_timer,
)
from streams.flow.run_state import Phase, RunState, phase_of
from streams.flow.state_rows import DONE, OPEN, Row, open_row, reused_row
from streams.flow.straight import accepted, result_of
from streams.language.topology import Topology
from streams.lifecycle import ENDINGS
from streams.messages import (
    Action,
    Context,
    Control,
    Ending,
    EventKind,
    Failure,
    Fault,
    FlowMessage,
    LogMessage,
    Message,
    Run,
    RunBegan,
    RunEnded,
    RunLasts,
    Start,
    StopSignal,
)

CANCELLED_EARLY = Failure("cancelled before it began", Fault.CALLER)
"""What the last event of a run says when its cancellation came before its request."""


def step(topology: Topology | None, state: RunState | None, message: FlowMessage | LogMessage, now: float) -> Step:
    """Handle one message of a run at `now` (epoch seconds). `topology` is the one of the run's digest, None without one.

    A message that comes late, for a run that is over or was never opened, changes nothing. A repeated message emits the same
    messages again (their ids are the same) or nothing.
    """
    if over(state):
        return Step(state)
    if isinstance(message, LogMessage):
        return _learn(state, message)
    if state is not None and state.opened and state.run.straight:
        return _stop(state, message) if isinstance(message, StopSignal) else Step(state)
    match phase_of(state), message:
        case Phase.UNKNOWN, StopSignal(ending=Ending.CANCEL):
            return _recall(message)
        case (Phase.UNKNOWN | Phase.RECALLED, StopSignal()):
            return Step(state)
        case (Phase.UNKNOWN | Phase.RECALLED | Phase.OPEN, Start()):
            assert topology is not None
            return _start(topology, state, message, now)
    if state is None or topology is None or state.done:
        return Step(state)
    handler = MessageHandler(topology, state, now)
    handler.handle(message)
    return handler.step


def over(state: RunState | None) -> bool:
    """Return whether a run has begun and ended, so that no message changes it."""
    return phase_of(state) is Phase.OVER


def timers(topology: Topology, state: RunState) -> list[Timer]:
    """Return the timers of a run whose state was rebuilt."""
    if state.phase not in (Phase.OPEN, Phase.ENDING):
        return []
    waiting = [join_timer(topology.vertices[place[0]], state, place) for place in state.joins]
    return [run_timer(state.run), *(timer for timer in waiting if timer)]


def _recall(stop: StopSignal) -> Step:
    """Remember a cancellation that overtook its run."""
    kind = ENDINGS[stop.ending]
    state = RunState(Run(stop.run, "", "", 0.0), done=kind, rows={DONE})
    return Step(state, after=[Row(stop.run, DONE, {"kind": kind.value, "opened": False})])


def _start(topology: Topology, state: RunState | None, start: Start, now: float) -> Step:
    """Open a run, or end it where it begins. A repeated request sends the first tasks again."""
    opened = state is not None and state.opened
    if opened and start.refused:
        return Step(state)  # the run was open before this request came again
    recalled = phase_of(state) is Phase.RECALLED
    run = state if state is not None and opened else RunState(start.run, opened=True)
    run.reused = dict(start.reused)
    rows = [open_row(run.run), *(reused_row(run.run.id, *place, value) for place, value in start.reused.items())]
    run.rows.update(row.row for row in rows)
    handler = MessageHandler(topology, run, now)
    handler.step.before.extend(rows)
    first = accepted(run.run, start)
    if recalled or start.refused or now >= run.run.deadline:
        handler.step.messages.append(first)
        kind = ENDINGS[Ending.CANCEL] if recalled else EventKind.RUN_FAILED
        handler.end(kind, CANCELLED_EARLY if recalled else start.refused or OVERDUE)
        return handler.step
    handler.step.timers.append(run_timer(run.run))
    walk = handler.walk()
    walk.enter("", (), Context({f":{name}": value for name, value in start.input.items()}))
    handler.step.messages.append(first)
    handler.emit(walk)
    return handler.step


def _learn(state: RunState | None, message: LogMessage) -> Step:
    """Take what the log says of a run that is not over."""
    match message, phase_of(state):
        case RunBegan(run=run), Phase.UNKNOWN if run.straight:
            return Step(RunState(run, opened=True), timers=[run_timer(run)])
        case RunBegan(run=run), Phase.RECALLED if run.straight:
            return Step(state, messages=_last_words(run, Ending.CANCEL, CANCELLED_EARLY))
        case RunEnded(event=event), Phase.RECALLED | Phase.OPEN | Phase.ENDING:
            assert state is not None
            results = [] if event.run.shadow_of else [result_of(event)]
            return Step(state, messages=[*results], after=close(state, event.kind))
        case RunLasts(), Phase.OPEN if state is not None and state.run.straight and OPEN not in state.rows:
            state.rows.add(OPEN)
            return Step(state, after=[open_row(state.run)])
    return Step(state)


def _stop(state: RunState, stop: StopSignal) -> Step:
    """End a straight run from outside: say it in the log, once. The run is over when that, or an earlier end, is read there.

    No row tells why it ends. When flow is lost after the log has the end, it reads it there; before, the signal comes again.
    """
    if state.stopping is not None or stop.join is not None:
        return Step(state)
    state.stopping = stop.ending
    return Step(state, messages=_last_words(state.run, stop.ending, REASONS[stop.ending]))


def _last_words(run: Run, ending: Ending, failure: Failure) -> list[Message]:
    """Return the end that flow says of a straight run, before workers hear that they are to drop its tasks."""
    return [ended(run, ENDINGS[ending], failure), Control(run.id, Action.ABORT)]
