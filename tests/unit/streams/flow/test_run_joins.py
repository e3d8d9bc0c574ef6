"""Joins: when they close, with what, and what comes too late."""

import itertools

import pytest

from streams.language.topology import Topology
from streams.messages import (
    Action,
    Context,
    Control,
    Ending,
    Event,
    EventKind,
    Failure,
    Fault,
    JoinToken,
    Status,
    StopSignal,
    Task,
)
from tests.unit.streams.compiling import pipeline, run
from tests.unit.streams.flow.flowing import Flow, events, others

DIAMOND = pipeline(
    """
nodes:
  a: {service: calc, with: {x: "${n}"}}
  b: {service: calc, with: {x: "${n}"}}
  c: {service: calc, with: {x: "${a.v + b.v}"}}
output: {r: "${c.v}", n: "${n}"}
"""
)
RACE = pipeline(
    """
nodes:
  a: {service: calc, with: {x: "${n}"}}
  b: {service: calc, with: {x: "${n}"}}
  c: {value: "${first(a.v, b.v, -1) + n}", wait: any}
output: {r: "${c}"}
"""
)
LATE = pipeline(
    """
nodes:
  a: {service: calc, with: {x: "${n}"}}
  b: {service: calc, with: {x: "${n}"}}
  c: {value: "${a.v + b.v}", deadline: 3s, on_error: {use: "${n}"}}
output: {r: "${c}"}
"""
)
NO = Failure("no", Fault.CALLER, "a")


def begun(topology: Topology) -> Flow:
    """A flow whose run has begun."""
    flow = Flow(topology)
    flow.start(n=1)
    return flow


def test_a_join_waits_for_all_and_unites_what_they_bring() -> None:
    """Nothing happens until the last token; then the node begins with the union of their contexts, once."""
    flow = begun(DIAMOND)
    tokens = [flow.token("c", "a", a={"v": 2}, _in_n=1), flow.token("c", "b", b={"v": 3})]
    for first, second in itertools.permutations(tokens):
        flow = begun(DIAMOND)
        assert flow.take(first) == []
        (task,) = flow.take(second)
        assert isinstance(task, Task)
        assert task.input == {"x": 5, "y": 0}
        assert dict(task.context.values) == {":n": 1}


def test_a_repeated_token_counts_once() -> None:
    """Before the join closes and after."""
    flow = begun(DIAMOND)
    first, second = flow.token("c", "a", a={"v": 2}, _in_n=1), flow.token("c", "b", b={"v": 3})
    assert flow.take(first) == flow.take(first) == []
    assert len(flow.take(second)) == 1
    assert flow.take(second) == flow.take(first) == []
    assert flow.state is not None
    assert not flow.state.joins


def test_a_token_says_its_first_word_only() -> None:
    """What an edge said first stands, whatever it says later."""
    flow = begun(DIAMOND)
    flow.take(flow.token("c", "a", a={"v": 2}, _in_n=1))
    flow.take(flow.failed("c", "a", NO))
    (task,) = flow.take(flow.token("c", "b", b={"v": 3}))
    assert isinstance(task, Task)


def test_a_skipped_token_counts_as_one() -> None:
    """A join whose strict reference was skipped is skipped, and says so to whom it leads."""
    flow = begun(DIAMOND)
    flow.take(flow.skipped("c", "a", _in_n=1))
    sent = flow.take(flow.token("c", "b", b={"v": 3}))
    assert events(sent) == [(EventKind.SKIPPED, "c")]
    (token,) = others(sent)
    assert isinstance(token, JoinToken)
    assert (token.join, token.status, token.context) == ("$out", Status.SKIPPED, Context({":n": 1}, frozenset({"c"})))


def test_a_failure_goes_on_when_all_have_come() -> None:
    """The reason is the same in whatever order failures came: a real one before a dropped one, then by path."""
    failures = [Failure("x", Fault.SERVICE, "a"), Failure("y", Fault.CALLER, "b"), Failure("z", Fault.DROPPED, "0")]
    for first, second in itertools.permutations(failures, 2):
        flow = begun(DIAMOND)
        flow.take(flow.failed("c", "a", first, _in_n=1))
        sent = flow.take(flow.failed("c", "b", second))
        assert events(sent) == []
        (token,) = [message for message in sent if isinstance(message, JoinToken)]
        assert token.failure == min(first, second, key=failures.index)
        assert dict(token.context.values) == {":n": 1}


def test_a_fatal_failure_stops_what_has_not_begun() -> None:
    """When the run must fail, workers are told once to drop its tasks."""
    flow = begun(DIAMOND)
    assert flow.take(flow.failed("c", "a", NO, _in_n=1)) == [Control("r", Action.ABORT)]
    assert Control("r", Action.ABORT) not in flow.take(flow.failed("c", "b", NO))


def test_a_race_goes_on_with_the_first_value() -> None:
    """`wait: any` begins with the first that delivers; what the others would have brought counts as skipped."""
    flow = begun(RACE)
    sent = flow.take(flow.token("c", "b", b={"v": 3}, _in_n=1))
    assert events(sent) == [(EventKind.FINISHED, "c")]
    assert flow.take(flow.token("c", "a", a={"v": 2}, _in_n=1)) == []


def test_a_race_tolerates_those_that_lose() -> None:
    """Skips and failures wait for a value; a failure there does not stop the run."""
    for loser in ("skipped", "failed"):
        flow = begun(RACE)
        lost = flow.skipped("c", "a", _in_n=1) if loser == "skipped" else flow.failed("c", "a", NO, _in_n=1)
        assert flow.take(lost) == []
        (finished, _) = flow.take(flow.token("c", "b", b={"v": 3}, _in_n=1))
        assert isinstance(finished, Event)
        assert finished.data == {"output": 4}


def test_a_race_that_nobody_wins() -> None:
    """All skipped: the node begins without them. One failed: the node fails with it."""
    flow = begun(RACE)
    flow.take(flow.skipped("c", "a", _in_n=1))
    (finished, _) = flow.take(flow.skipped("c", "b", _in_n=1))
    assert isinstance(finished, Event)
    assert finished.data == {"output": 0}
    flow = begun(RACE)
    flow.take(flow.failed("c", "a", NO, _in_n=1))
    (token,) = flow.take(flow.skipped("c", "b", _in_n=1))
    assert isinstance(token, JoinToken)
    assert token.failure == NO


def test_a_deadline_begins_with_the_first_token() -> None:
    """The timer is set once, for so long after the first token; without a `deadline` there is none."""
    flow = begun(LATE)
    flow.now = 2000.0
    flow.take(flow.token("c", "a", a={"v": 2}, _in_n=1))
    flow.now = 2001.0
    flow.take(flow.token("c", "a", a={"v": 2}, _in_n=1))
    assert flow.timers[1:] == [(2003.0, StopSignal("r", Ending.DEADLINE, "c", ()))]
    flow = begun(DIAMOND)
    flow.take(flow.token("c", "a", a={"v": 2}, _in_n=1))
    assert len(flow.timers) == 1


def test_a_deadline_makes_the_node_fail_with_its_on_error() -> None:
    """What it waited for in vain is named; the fallback finds what came before."""
    flow = begun(LATE)
    flow.take(flow.token("c", "a", a={"v": 2}, _in_n=1))
    (failed, token) = flow.take(StopSignal("r", Ending.DEADLINE, "c", ()))
    assert isinstance(failed, Event)
    assert failed.data["reason"] == "gave up waiting for b after 3 s"
    assert failed.data["on_error"] == "use"
    assert isinstance(token, JoinToken)
    assert dict(token.context.values) == {"c": 1}
    assert flow.take(flow.token("c", "b", b={"v": 3}, _in_n=1)) == []


def test_a_deadline_does_not_hide_a_failure() -> None:
    """What failed before the deadline stays the reason: `on_error` is for the node's own failures."""
    flow = begun(LATE)
    flow.take(flow.failed("c", "a", NO, _in_n=1))
    sent = flow.take(StopSignal("r", Ending.DEADLINE, "c", ()))
    assert events(sent) == []
    (token,) = others(sent)
    assert isinstance(token, JoinToken)
    assert token.failure == NO


@pytest.mark.parametrize("arrived", [[], ["a", "b"]], ids=["before any token", "after the last"])
def test_a_deadline_of_a_join_that_does_not_wait_is_late(arrived: list[str]) -> None:
    """A timer that outlived its join does nothing."""
    flow = begun(LATE)
    for edge in arrived:
        flow.take(flow.token("c", edge, **{edge: {"v": 1}}, _in_n=1))
    assert flow.take(StopSignal("r", Ending.DEADLINE, "c", ())) == []


def test_joins_of_one_node_at_several_positions_are_apart() -> None:
    """Each iteration has its own join."""
    topology = pipeline(
        """
nodes:
  e:
    each: {x: [1, 2]}
    nodes:
      a: {service: calc, with: {x: "${x}"}}
      b: {service: calc, with: {x: "${x}"}}
      c: {value: "${a.v + b.v}"}
    output: "${c}"
output: {r: "${e}"}
"""
    )
    flow = begun(topology)
    first = {"e__a": {"v": 1}}
    assert flow.take(flow.token("e.c", "e.a", 0, **first)) == []
    assert flow.take(flow.token("e.c", "e.b", 1, e__b={"v": 1})) == []
    sent = flow.take(flow.token("e.c", "e.b", 0, e__b={"v": 1}))
    assert events(sent) == [(EventKind.FINISHED, "e[0].c")]


def test_a_failure_after_a_joins_deadline_changes_nothing() -> None:
    """A loop whose item fails when nobody waits for it any more does not stop the run."""
    topology = pipeline(
        """
nodes:
  a: {each: {x: "${[n]}"}, nodes: {i: {service: calc, with: {x: "${x}"}}}, output: "${i.v}"}
  b: {service: calc, with: {x: "${n}"}}
  c: {value: "${size(a) + b.v}", deadline: 3s, on_error: {use: 0}}
  d: {service: calc, with: {x: "${c}"}}
output: {r: "${d.v}"}
"""
    )
    flow = begun(topology)
    flow.take(flow.opened("a", (1,)))
    flow.take(flow.token("c", "b", b={"v": 1}))
    flow.take(StopSignal("r", Ending.DEADLINE, "c", ()))
    sent = flow.take(flow.failed_item("a", 0, NO))
    assert Control("r", Action.ABORT) not in sent


def test_values_behind_a_missing_input_are_known_all_the_same() -> None:
    """After a deadline, what is read further on comes by its own way, not by the input that did not."""
    for reads in ("${c.v + j}", "${first(c.v, -1) + j}"):
        topology = pipeline(
            f"""
nodes:
  c: {{service: calc, with: {{x: "${{n}}"}}}}
  a: {{http: {{url: "${{string(c.v)}}"}}}}
  b: {{service: calc, with: {{x: "${{n}}"}}}}
  j: {{value: "${{a.status + b.v}}", deadline: 3s, on_error: {{use: "${{b.v * 10}}"}}}}
output: {{r: "{reads}", n: "${{n}}"}}
"""
        )
        assert run(topology, n=4).output == {"r": 44, "n": 4}
