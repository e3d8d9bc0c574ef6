"""How far flow is with a run, which decides what it does with a message."""

import pytest

from streams.flow.run import step
from streams.flow.run_state import Phase, RunState, phase_of
from streams.messages import Ending, EventKind, Run, StopSignal

RUN = Run("r", "p", "d", 100.0)


@pytest.mark.parametrize(
    ("state", "phase"),
    [
        (None, Phase.UNKNOWN),
        (RunState(RUN), Phase.UNKNOWN),
        (RunState(RUN, done=EventKind.RUN_CANCELLED), Phase.RECALLED),
        (RunState(RUN, opened=True), Phase.OPEN),
        (RunState(RUN, opened=True, stopping=Ending.DEADLINE), Phase.ENDING),
        (RunState(RUN, opened=True, done=EventKind.RUN_FINISHED), Phase.OVER),
    ],
)
def test_a_state_says_how_far_the_run_is(state: RunState | None, phase: Phase) -> None:
    """Nothing else is stored for it."""
    assert phase_of(state) is phase


def test_only_a_cancellation_is_remembered_before_its_run() -> None:
    """A deadline of an unknown run changes nothing; a second cancellation does not either."""
    assert step(None, None, StopSignal("r", Ending.DEADLINE), 0.0).state is None
    recalled = step(None, None, StopSignal("r", Ending.CANCEL), 0.0)
    assert phase_of(recalled.state) is Phase.RECALLED
    assert step(None, recalled.state, StopSignal("r", Ending.CANCEL), 0.0).after == []
