"""Steps of one run done together: the tokens that a step hands to the run's own joins, and messages that came at once. Pure."""

from collections import deque
from collections.abc import Iterable

from streams.flow.message_handler import Step
from streams.flow.run import step
from streams.flow.run_state import RunState
from streams.language.topology import Topology
from streams.messages import FlowMessage, Token


def together(steps: Iterable[Step]) -> Step:
    """Steps of one run, one after another, as one. Every row stays, in its order: a marker comes before what it stands for.

    A crash in the middle leaves as much as one between two of them would: none is acknowledged, and all come again.
    """
    whole = Step(None)
    for one in steps:
        whole.state = one.state
        whole.before += one.before
        whole.messages += one.messages
        whole.after += one.after
        whole.timers += one.timers
        whole.work += one.work
    return whole


def whole_step(topology: Topology | None, state: RunState | None, message: FlowMessage, now: float) -> Step:
    """A step, and those of the tokens that it hands to joins of the same run, without a way through the log for each.

    Rows of an inner step come before those of the outer one: a crash between the two must not leave a join closed whose
    token is nowhere. When the run ends, what its end says of rows is all there is to say.
    """
    made = step(topology, state, message, now)
    tokens = [one for one in made.messages if isinstance(one, Token)]
    if not tokens:
        return made
    whole = Step(made.state, list(made.before), [], list(made.after), list(made.timers), made.work)
    waiting = deque(made.messages)
    while waiting:
        one = waiting.popleft()
        if not isinstance(one, Token):
            whole.messages.append(one)
            continue
        inner = step(topology, whole.state, one, now)
        whole.state = inner.state
        whole.timers += inner.timers
        whole.work += inner.work
        waiting.extendleft(reversed(inner.messages))
        if inner.after and inner.state is not None and inner.state.done:
            said = {row.row for row in inner.after}
            whole.after = [row for row in whole.after if row.value is None and row.row not in said]
        whole.after = [*inner.after, *whole.after]
    if whole.before and whole.state is not None and whole.state.done:
        # It ended where it began: nothing of it is under way that could come before its rows.
        unwritten = {row.row for row in whole.before}
        whole.before, whole.after = [], [row for row in whole.after if row.row not in unwritten]
    return whole
