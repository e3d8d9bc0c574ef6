"""How a run begins and ends: once, whatever else is on its way."""

import pytest

from streams.flow.message_handler import OVERDUE
from streams.flow.run import step, timers
from streams.flow.state_rows import rebuild
from streams.messages import (
    Action,
    Control,
    Ending,
    Event,
    EventKind,
    Failure,
    Fault,
    FlowMessage,
    JoinToken,
    Message,
    Result,
    Start,
    StopSignal,
    Task,
)
from tests.unit.streams.compiling import pipeline
from tests.unit.streams.flow.flowing import NOW, Flow, events, others

ONE = pipeline('timeout: 60s\nnodes: {a: {service: calc, with: {x: "${n}"}}}\noutput: {r: "${a.v}"}')
CANCEL = StopSignal("r", Ending.CANCEL)
DEADLINE = StopSignal("r", Ending.DEADLINE)


def begun() -> Flow:
    """A flow whose run has begun."""
    flow = Flow(ONE)
    flow.start(n=1)
    return flow


def ended(messages: list[Message]) -> tuple[EventKind, Result]:
    """The last event and the result, which are alike."""
    (kind,) = [kind for kind, _ in events(messages) if kind.terminal]
    (result,) = [message for message in messages if isinstance(message, Result)]
    assert result.kind is kind
    return kind, result


def test_a_run_opens_with_its_row_before_anything_is_sent() -> None:
    """The row is written first; the event says what was asked for; the deadline is timed."""
    flow = Flow(ONE)
    following = step(ONE, None, Start(flow.run, {"n": 1}, "topic/3@5"), NOW)
    assert [row.row for row in following.before] == ["open"]
    assert following.after == []
    accepted, task = following.messages
    assert isinstance(accepted, Event)
    assert accepted.data == {"pipeline": "test", "digest": ONE.digest, "input": {"n": 1}, "source": "topic/3@5"}
    assert isinstance(task, Task)
    assert [(timer.at, timer.stop) for timer in following.timers] == [(NOW + 60, DEADLINE)]


def test_a_repeated_start_sends_the_same_again() -> None:
    """As long as the run is open; another topology in a repeated start changes nothing: the first stands."""
    flow = Flow(ONE)
    first = flow.start(n=1)
    assert flow.start(n=1) == first
    other = pipeline('nodes: {a: {value: 1}}\noutput: {r: "${a}"}')
    assert other.digest != ONE.digest
    sent = flow.take(Start(Flow(other).run, {"n": 1}))
    assert isinstance(sent[0], Event)
    assert sent[0].run.digest == ONE.digest


def test_a_refused_start_ends_the_run_where_it_begins() -> None:
    """It is accepted and fails with the reason; nothing is asked of a service, and whatever comes again changes nothing."""
    flow = Flow(ONE)
    refused = Start(flow.run, {}, "topic/3@5", refused=Failure("removed", Fault.PIPELINE, hint="publish it again"))
    sent = flow.take(refused)
    assert [message.kind for message in sent if isinstance(message, Event)] == [
        EventKind.ACCEPTED,
        EventKind.RUN_FAILED,
    ]
    kind, result = ended(sent)
    assert (kind, result.failure) == (EventKind.RUN_FAILED, refused.refused)
    assert not [message for message in sent if isinstance(message, Task)]
    assert list(flow.rows) == ["done"]
    assert flow.take(refused) == flow.take(Start(flow.run, {"n": 1})) == []


def test_a_run_under_way_is_not_refused_any_more() -> None:
    """A request that is delivered again, after its pipeline was removed, finds its run at work and leaves it there."""
    flow = begun()
    assert flow.take(Start(flow.run, {}, "topic/3@5", refused=Failure("removed", Fault.PIPELINE))) == []
    assert ended(flow.take(flow.token("$out", "a", a={"v": 7})))[0] is EventKind.RUN_FINISHED


def test_a_cancellation_that_came_first_wins_over_a_refusal() -> None:
    """The order of the log decides."""
    flow = Flow(ONE)
    flow.take(CANCEL)
    assert (
        ended(flow.take(Start(flow.run, {}, "", refused=Failure("removed", Fault.PIPELINE))))[0]
        is EventKind.RUN_CANCELLED
    )


def test_the_last_token_ends_the_run() -> None:
    """One event, one result, one row that stays."""
    flow = begun()
    kind, result = ended(flow.take(flow.token("$out", "a", a={"v": 7})))
    assert kind is EventKind.RUN_FINISHED
    assert result.output == {"r": 7}
    assert flow.rows == {"done": {"kind": "run.finished", "opened": True}}


def test_a_failure_ends_the_run_with_its_reason() -> None:
    """Reason, place, hint and whose fault it is."""
    flow = begun()
    kind, result = ended(flow.take(flow.failed("$out", "a", Failure("no", Fault.CALLER, "a", "try 5"))))
    assert kind is EventKind.RUN_FAILED
    assert result.failure == Failure("no", Fault.CALLER, "a", "try 5")
    assert result.output is None


def test_an_output_that_does_not_fit_fails_the_run() -> None:
    """What the types could not tell is checked at the end; a failing expression is a failure too."""
    topology = pipeline(
        'nodes: {a: {value: "${n}"}}\noutput: {r: "${first(x.v, 1) + a}", s: "${x.s}"}', input="{n: int, x: any}"
    )
    flow = Flow(topology)
    flow.start(n=1, x={})
    _, result = ended(flow.take(flow.token("$out", "a", a=1, _in_x={"v": 1})))
    assert result.failure is not None
    assert "Key not found" in result.failure.reason
    assert result.failure.fault is Fault.PIPELINE


@pytest.mark.parametrize("late", ["token", "failed", "start", "cancel", "deadline", "join", "opened", "item"])
def test_nothing_happens_after_the_end(late: str) -> None:
    """Whatever comes late changes nothing and sends nothing."""
    flow = begun()
    flow.take(flow.token("$out", "a", a={"v": 7}))
    messages: dict[str, FlowMessage] = {
        "token": flow.token("$out", "a", a={"v": 7}),
        "failed": flow.failed("$out", "a", Failure("no", Fault.CALLER)),
        "start": Start(flow.run, {"n": 1}),
        "cancel": CANCEL,
        "deadline": DEADLINE,
        "join": StopSignal("r", Ending.DEADLINE, "$out", ()),
        "opened": flow.opened("a", (1,)),
        "item": flow.item("a", 0, 1),
    }
    rows = dict(flow.rows)
    assert flow.take(messages[late]) == []
    assert flow.rows == rows


def test_a_cancelled_run_ends_at_once() -> None:
    """Workers are told, then the run is over; what still comes is late."""
    flow = begun()
    sent = flow.take(CANCEL)
    assert ended(sent)[0] is EventKind.RUN_CANCELLED
    assert Control("r", Action.ABORT) in sent
    assert flow.take(flow.token("$out", "a", a={"v": 7})) == []


def test_the_first_end_wins() -> None:
    """Finish, cancel and deadline meet in one order: a cancel after the end is none, and the other way round."""
    for first, second in ((CANCEL, DEADLINE), (DEADLINE, CANCEL)):
        flow = begun()
        assert ended(flow.take(first))
        assert flow.take(second) == []


def test_a_deadline_fails_the_run() -> None:
    """With a reason that says what to do."""
    flow = begun()
    kind, result = ended(flow.take(DEADLINE))
    assert kind is EventKind.RUN_FAILED
    assert result.failure == OVERDUE


def test_a_worker_may_see_the_deadline_before_flow_does() -> None:
    """A run that ends because its tasks were dropped has failed at its deadline, not for the dropping."""
    flow = begun()
    _, result = ended(flow.take(flow.failed("$out", "a", Failure("the run is ending", Fault.DROPPED, "a"))))
    assert result.failure == OVERDUE


def test_a_cancel_may_come_before_its_run() -> None:
    """It is kept, and the run ends as it begins: accepted, then cancelled."""
    flow = Flow(ONE)
    assert flow.take(CANCEL) == []
    assert flow.rows == {"done": {"kind": "run.cancelled", "opened": False}}
    assert flow.take(CANCEL) == []
    sent = flow.start(n=1)
    assert [kind for kind, _ in events(sent)] == [EventKind.ACCEPTED, EventKind.RUN_CANCELLED]
    assert not [other for other in others(sent) if isinstance(other, Task)]
    assert flow.rows == {"done": {"kind": "run.cancelled", "opened": True}}
    assert flow.start(n=1) == []


def test_messages_of_an_unknown_run_do_nothing() -> None:
    """A token, a deadline or a join's deadline of a run that was never opened does nothing."""
    flow = Flow(ONE)
    assert flow.take(flow.token("$out", "a", a={"v": 1})) == []
    assert flow.take(DEADLINE) == []
    assert flow.take(StopSignal("r", Ending.DEADLINE, "a", ())) == []
    assert flow.state is None
    assert flow.rows == {}


def test_timers_can_be_set_again() -> None:
    """Those of an open run, from its state: its deadline and those of its joins; none of one that is over."""
    topology = pipeline(
        """
nodes:
  a: {service: calc, with: {x: "${n}"}}
  b: {service: calc, with: {x: "${n}"}}
  c: {value: "${a.v + b.v}", deadline: 3s}
output: {r: "${c}"}
"""
    )
    flow = Flow(topology)
    flow.start(n=1)
    flow.now = NOW + 10
    flow.take(flow.token("c", "a", a={"v": 1}))
    assert flow.state is not None
    again = [(timer.at, timer.stop) for timer in timers(topology, flow.state)]
    assert again == flow.timers == [(NOW + 3600, DEADLINE), (NOW + 13, StopSignal("r", Ending.DEADLINE, "c", ()))]
    flow.take(flow.token("c", "b", b={"v": 1}))
    assert len(timers(topology, flow.state)) == 1
    flow.take(CANCEL)
    assert timers(topology, flow.state) == []


def test_a_pipeline_without_nodes_ends_through_its_log_too() -> None:
    """Even a run that computes nothing is ended by flow, in the order of its log."""
    flow = Flow(pipeline('output: {r: "${n}"}'))
    (token,) = others(flow.start(n=4))
    assert isinstance(token, JoinToken)
    kind, result = ended(flow.take(token))
    assert (kind, result.output) == (EventKind.RUN_FINISHED, {"r": 4})


def test_a_dropped_task_does_not_hide_the_failure() -> None:
    """A worker lost half-way has its task dropped the second time: the failure that ended the run is reported all the same.

    The task of `b` was answered by the one of the inner `d`; repeated, it was dropped, and that reached the end first.
    """
    topology = pipeline(
        """
nodes:
  b: {service: calc, with: {x: "${n}"}}
  c:
    if: b.v >= 0
    then:
      nodes: {d: {service: calc, with: {x: "${n}"}}, e: {service: calc, with: {x: "${n}"}}}
      output: "${d.v + e.v}"
    else: {output: 0}
  f: {service: calc, with: {x: "${n}"}}
output: {r: "${c + f.v}"}
"""
    )
    flow = Flow(topology)
    flow.start(n=1)
    why = Failure("no", Fault.CALLER, "c.then.d")
    assert Control("r", Action.ABORT) in flow.take(flow.failed("c.then.$out", "c.then.d", why))
    over = Failure("the run is ending", Fault.DROPPED, "b")
    assert flow.take(flow.failed("$out", "c", over)) == []
    flow.state = rebuild("r", flow.rows, {})
    _, result = ended(flow.take(flow.failed("$out", "f", over)))
    assert result.failure == why
