"""Steps of one run done together: those of tokens for the run's own joins, and those of messages that came at once. Pure."""

from collections import deque
from collections.abc import Iterable

from streams.flow.message_handler import Step
from streams.flow.run import step
from streams.flow.run_state import RunState
from streams.language.topology import Topology
from streams.messages import FlowMessage, JoinToken, LogMessage


def merge_steps(steps: Iterable[Step]) -> Step:
    """Merge consecutive steps of one run into one. Every row stays, in its order: a marker comes before what it replaces.

    A crash in the middle leaves as much as a crash between two of the steps: none is acknowledged, and all come again.
    """
    merged = Step(None)
    for part in steps:
        merged.state = part.state
        merged.before += part.before
        merged.messages += part.messages
        merged.after += part.after
        merged.timers += part.timers
        merged.work += part.work
    return merged


def whole_step(
    topology: Topology | None, state: RunState | None, message: FlowMessage | LogMessage, now: float
) -> Step:
    """Compute a step together with those of the tokens that it sends to joins of the same run, which need not pass the log.

    Rows of an inner step come before those of the outer one: a crash between the two must not leave a join closed whose
    token is lost. When the run ends, the rows of its end replace all others. `now`: epoch seconds.
    """
    outer = step(topology, state, message, now)
    if not any(isinstance(sent, JoinToken) for sent in outer.messages):
        return outer
    whole = Step(outer.state, list(outer.before), [], list(outer.after), list(outer.timers), outer.work)
    waiting = deque(outer.messages)
    while waiting:
        sent = waiting.popleft()
        if not isinstance(sent, JoinToken):
            whole.messages.append(sent)
            continue
        inner = step(topology, whole.state, sent, now)
        whole.state = inner.state
        whole.timers += inner.timers
        whole.work += inner.work
        waiting.extendleft(reversed(inner.messages))
        _put_before(whole, inner)
    if whole.before and whole.state is not None and whole.state.done:
        # It ended in the step in which it began: nothing of it is in progress that could come before its rows.
        unwritten = {row.row for row in whole.before}
        whole.before, whole.after = [], [row for row in whole.after if row.row not in unwritten]
    return whole


def _put_before(whole: Step, inner: Step) -> None:
    """Put the rows of an inner step before those of the whole."""
    if inner.after and inner.state is not None and inner.state.done:
        written = {row.row for row in inner.after}
        whole.after = [row for row in whole.after if row.value is None and row.row not in written]
    whole.after = [*inner.after, *whole.after]
