"""Straight runs: how they begin and end, and what flow does when it reads of it in the log."""

from dataclasses import replace

import pytest

from streams.flow.advance import advance
from streams.flow.message_handler import DEADLY, OVERDUE, REASONS, ended
from streams.flow.riding_events import riding
from streams.flow.run import CANCELLED_EARLY, timers
from streams.flow.run_state import Phase, phase_of
from streams.flow.state_rows import OPEN, open_row, rebuild
from streams.flow.straight import begin, last_event, result_of
from streams.flow.walk import dropped
from streams.lifecycle import DEADLINE_PASSED
from streams.messages import (
    Action,
    Control,
    Ending,
    Event,
    EventKind,
    Failure,
    Fault,
    Message,
    Outcome,
    Result,
    Retry,
    Run,
    RunBegan,
    RunEnded,
    RunLasts,
    Start,
    Status,
    StopSignal,
    Task,
)
from tests.unit.streams.compiling import pipeline
from tests.unit.streams.flow.flowing import NOW, Flow, events, others

CHAIN = pipeline(
    """
timeout: 60s
nodes:
  a: {service: calc, with: {x: "${n}"}}
  b: {value: "${a.v + 1}"}
  c: {service: calc, with: {x: "${b}"}, when: b > 0}
output: {r: "${first(c.v, 0)}"}
"""
)
RUN = Run("r", "test", CHAIN.digest, NOW + 60, straight=True)
START = Start(RUN, {"n": 1}, "somewhere")
CANCEL, DEADLINE = StopSignal("r", Ending.CANCEL), StopSignal("r", Ending.DEADLINE)
FINISHED = ended(RUN, EventKind.RUN_FINISHED, output={"r": 2})
FAILED = ended(RUN, EventKind.RUN_FAILED, Failure("no", Fault.CALLER, "a", "try 5"))
ABORT = Control("r", Action.ABORT)


def first_task() -> Task:
    """The task with which the run begins."""
    (task,) = begin(CHAIN, START)
    assert isinstance(task, Task)
    return task


def answered(value: int) -> Outcome:
    """What a service gave."""
    return Outcome(Status.VALUE, {"v": value, "items": []})


# Agents ----------------------------------------------------------------------------------------------------------


def test_a_run_begins_as_one_task() -> None:
    """One record holds the first task and all that was said before it."""
    task = first_task()
    assert (task.vertex, task.input, task.run) == ("a", {"x": 1, "y": 0}, RUN)
    (accepted,) = task.said
    assert accepted.kind is EventKind.ACCEPTED
    assert accepted.data == {
        "pipeline": "test",
        "digest": CHAIN.digest,
        "input": {"n": 1},
        "source": "somewhere",
    }
    assert begin(CHAIN, START) == [task]


def test_what_is_computed_before_the_first_task_rides_in_it() -> None:
    """In the order in which it happened."""
    topology = pipeline('nodes:\n  a: {value: "${n}"}\n  b: {service: calc, with: {x: "${a}"}}\noutput: {r: "${b.v}"}')
    (task,) = begin(topology, Start(replace(RUN, digest=topology.digest), {"n": 1}))
    assert isinstance(task, Task)
    assert [(event.kind, event.path) for event in task.said] == [(EventKind.ACCEPTED, ""), (EventKind.FINISHED, "a")]


@pytest.mark.parametrize(
    ("output", "kind"), [("${n}", EventKind.RUN_FINISHED), ("${12 / n}", EventKind.RUN_FAILED)], ids=["value", "error"]
)
def test_a_run_without_a_task_ends_as_it_begins(output: str, kind: EventKind) -> None:
    """Its first and its last event are all there is to send."""
    topology = pipeline(f'output: {{r: "{output}"}}')
    messages = begin(topology, Start(replace(RUN, digest=topology.digest), {"n": 0}))
    assert events(messages) == [(EventKind.ACCEPTED, ""), (kind, "")]
    assert not others(messages)


def test_the_last_agent_ends_the_run() -> None:
    """The walk goes on to the end of the run, and says it last."""
    (after_a,) = others(advance(CHAIN, first_task(), answered(4)))
    assert isinstance(after_a, Task)
    messages = advance(CHAIN, after_a, answered(7))
    assert events(messages) == [(EventKind.FINISHED, "c"), (EventKind.RUN_FINISHED, "")]
    assert not others(messages)
    (*_, end) = messages
    assert isinstance(end, Event)
    assert end.data == {"output": {"r": 7}}


def test_a_failure_ends_the_run_where_it_happens() -> None:
    """With the reason and the place, as flow says it of other runs."""
    failure = Failure("no", Fault.CALLER, "a", "try 5")
    (*_, end) = advance(CHAIN, first_task(), Outcome(Status.FAILED, failure=failure))
    assert end == FAILED
    assert end.data == {"reason": "no", "fault": "caller", "hint": "try 5", "at": "a"}


def test_the_limit_of_executions_holds_to_the_end() -> None:
    """No flow counts them: the last agent does."""
    topology = pipeline(
        'limit: 2\nnodes: {a: {service: calc, with: {x: "${n}"}}, b: {value: "${a.v}"}}\noutput: {r: "${b}"}'
    )
    run = replace(RUN, digest=topology.digest)
    (task,) = begin(topology, Start(run, {"n": 1}))
    assert isinstance(task, Task)
    assert events(advance(topology, task, answered(1)))[-1] == (EventKind.RUN_FINISHED, "")
    (*_, end) = advance(topology, replace(task, executions=2), answered(1))
    assert isinstance(end, Event)
    assert end.data["reason"] == "more than 2 nodes, rounds and items, which is the run's limit"


@pytest.mark.parametrize(
    ("outcome", "end"),
    [
        (Outcome(Status.VALUE, {"r": 2}), FINISHED),
        (Outcome(Status.FAILED, failure=Failure("no", Fault.CALLER, "a", "try 5")), FAILED),
        (dropped(DEADLINE_PASSED), ended(RUN, EventKind.RUN_FAILED, OVERDUE)),
        (dropped("the run is ending"), None),
    ],
    ids=["finished", "failed", "overdue", "ending already"],
)
def test_how_a_run_ended(outcome: Outcome, end: Event | None) -> None:
    """A task that is dropped because flow has ended the run says no end of its own."""
    assert last_event(RUN, outcome) == end


@pytest.mark.parametrize(
    "failure", [*REASONS.values(), CANCELLED_EARLY, DEADLY, Failure("no", Fault.PIPELINE, "a[1].b", "hint")]
)
def test_the_result_of_a_last_event(failure: Failure) -> None:
    """It says all that the event says."""
    for kind in (EventKind.RUN_FAILED, EventKind.RUN_CANCELLED):
        assert result_of(ended(RUN, kind, failure)) == Result(RUN, kind, None, failure)
    assert result_of(FINISHED) == Result(RUN, EventKind.RUN_FINISHED, {"r": 2})


def test_what_was_said_goes_before_everything_that_follows() -> None:
    """It rides in the next step, or is published with what the hop says itself."""
    task = first_task()
    messages = advance(CHAIN, task, answered(4))
    (ridden,) = riding(task, messages, rides=True)
    assert isinstance(ridden, Task)
    assert [event.kind for event in ridden.said] == [EventKind.ACCEPTED, EventKind.FINISHED, EventKind.FINISHED]
    *said, following = riding(task, messages, rides=False)
    assert tuple(said) == ridden.said
    assert following == replace(ridden, said=())
    end = riding(ridden, advance(CHAIN, ridden, answered(7)), rides=True)
    assert [kind for kind, _ in events(end)][-2:] == [EventKind.FINISHED, EventKind.RUN_FINISHED]
    assert end[:3] == list(ridden.said)


def test_a_retry_carries_nothing_that_is_published_before_it() -> None:
    """Everything is said before a task waits."""
    task = first_task()
    failure = Failure("not now", Fault.SERVICE)
    messages = riding(task, advance(CHAIN, task, Outcome(Status.FAILED, failure=failure)), rides=True)
    assert [kind for kind, _ in events(messages)] == [EventKind.ACCEPTED, EventKind.RETRYING]
    (retry,) = others(messages)
    assert retry == Retry(replace(task, attempt=2, said=()), 1.0)


def test_the_tasks_of_other_runs_carry_no_events() -> None:
    """A topology that is straight does not make a run straight."""
    run = replace(RUN, straight=False)
    task = replace(first_task(), run=run, said=())
    messages = advance(CHAIN, task, answered(4))
    assert riding(task, messages, rides=True) == messages


# Flow ------------------------------------------------------------------------------------------------------------


def begun() -> Flow:
    """A flow that has read of the run's beginning."""
    flow = Flow(CHAIN)
    assert flow.take(RunBegan(RUN)) == []
    return flow


def test_flow_opens_a_run_that_it_reads_of() -> None:
    """In memory only, with its deadline; a second time changes nothing."""
    flow = begun()
    assert phase_of(flow.state) is Phase.OPEN
    assert flow.timers == [(NOW + 60, DEADLINE)]
    assert flow.take(RunBegan(RUN)) == flow.take(START) == []
    assert flow.timers == [(NOW + 60, DEADLINE)]
    assert flow.rows == {}


@pytest.mark.parametrize("end", [FINISHED, FAILED], ids=["finished", "failed"])
def test_the_first_end_in_the_log_gives_the_result(end: Event) -> None:
    """Once: what comes later changes nothing."""
    flow = begun()
    assert flow.take(RunEnded(end)) == [result_of(end)]
    assert flow.rows == {"done": {"kind": end.kind.value, "opened": True}}
    rows = dict(flow.rows)
    for late in (RunEnded(FAILED), RunEnded(FINISHED), RunBegan(RUN), RunLasts("r"), CANCEL, DEADLINE, START):
        assert flow.take(late) == []
    assert flow.rows == rows


def test_a_shadow_gives_no_result() -> None:
    """It ends like any other."""
    run = replace(RUN, shadow_of="x")
    flow = Flow(CHAIN)
    flow.take(RunBegan(run))
    assert flow.take(RunEnded(replace(FINISHED, run=run))) == []
    assert phase_of(flow.state) is Phase.OVER


@pytest.mark.parametrize("stop", [CANCEL, DEADLINE, StopSignal("r", Ending.DEADLY)], ids=lambda stop: stop.ending.value)
def test_flow_says_an_end_once_and_waits_until_it_reads_it(stop: StopSignal) -> None:
    """Before workers hear of it. The result follows from the log, where an agent's end may be the first."""
    flow = begun()
    end, control = flow.take(stop)
    assert isinstance(end, Event)
    assert result_of(end).failure == REASONS[stop.ending]
    assert control == ABORT
    assert phase_of(flow.state) is Phase.ENDING
    assert flow.take(CANCEL) == flow.take(DEADLINE) == flow.take(RunBegan(RUN)) == flow.take(RunLasts("r")) == []
    assert flow.rows == {}
    assert flow.take(RunEnded(FINISHED)) == [result_of(FINISHED)]
    assert flow.take(RunEnded(end)) == []


def test_a_cancellation_that_comes_first_is_kept() -> None:
    """The run is cancelled when its beginning is read, each time, until an end is read."""
    flow = Flow(CHAIN)
    assert flow.take(CANCEL) == []
    said = flow.take(RunBegan(RUN))
    assert said == [ended(RUN, EventKind.RUN_CANCELLED, CANCELLED_EARLY), ABORT] == flow.take(RunBegan(RUN))
    assert phase_of(flow.state) is Phase.RECALLED
    assert isinstance(said[0], Event)
    assert flow.take(RunEnded(said[0])) == [Result(RUN, EventKind.RUN_CANCELLED, None, CANCELLED_EARLY)]
    assert flow.rows == {"done": {"kind": "run.cancelled", "opened": True}}


def test_an_agent_may_end_a_run_whose_cancellation_came_first() -> None:
    """The result says what clients see."""
    flow = Flow(CHAIN)
    flow.take(CANCEL)
    assert flow.take(RunEnded(FINISHED)) == [result_of(FINISHED)]
    assert flow.rows == {"done": {"kind": "run.finished", "opened": True}}


def test_a_run_that_lasts_is_written_down() -> None:
    """Once. Another flow then knows it, with its deadline, and its end removes the row."""
    flow = begun()
    assert flow.take(RunLasts("r")) == flow.take(RunLasts("r")) == []
    assert flow.rows == {OPEN: open_row(RUN).value}
    flow.state = rebuild("r", flow.rows, {})
    assert flow.state.run == RUN
    assert [(timer.at, timer.stop) for timer in timers(CHAIN, flow.state)] == [(NOW + 60, DEADLINE)]
    flow.take(RunEnded(FINISHED))
    assert list(flow.rows) == ["done"]


def test_flow_knows_nothing_of_a_run_whose_beginning_it_has_not_read() -> None:
    """An end, or a sign of life, opens nothing."""
    flow = Flow(CHAIN)
    assert flow.take(RunEnded(FINISHED)) == flow.take(RunLasts("r")) == flow.take(DEADLINE) == []
    assert flow.state is None
    assert flow.rows == {}


def test_flow_opens_no_other_run_because_of_the_log() -> None:
    """It has opened those itself."""
    flow = Flow(CHAIN)
    assert flow.take(RunBegan(replace(RUN, straight=False))) == []
    assert flow.state is None
    flow.start(n=1)
    assert flow.take(RunLasts("r")) == []
    sent: list[Message] = flow.take(CANCEL)
    assert [type(message) for message in sent] == [Control, Event, Result]


def test_a_row_of_an_older_version_is_no_straight_run() -> None:
    """And an older version reads the rows of runs that are not straight."""
    value = open_row(replace(RUN, straight=False)).value
    assert value is not None
    assert "straight" not in value
    assert not rebuild("r", {OPEN: value}, {}).run.straight
