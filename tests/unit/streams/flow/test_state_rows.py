"""The rows of a run's state, and the way back."""

import itertools
import json

from streams.flow.state_rows import DONE, OPEN, left_behind, rebuild
from streams.messages import EventKind, Failure, Fault, LoopOpened
from tests.unit.streams.compiling import pipeline
from tests.unit.streams.flow.flowing import Flow, others

MADE = pipeline(
    """
nodes:
  a: {service: calc, with: {x: "${n}"}}
  b: {service: calc, with: {x: "${n}"}}
  c: {value: "${a.v + b.v}"}
  e: {each: {x: "${[1, 2, 3]}"}, concurrency: 2, nodes: {i: {service: calc, with: {x: "${x}"}}}, output: "${i.v}", on_error: skip}
output: {r: "${c}", e: "${first(e, [])}"}
"""
)
WINDOWS = {"e": 2}


def busy() -> Flow:
    """A run in the middle: a join that waits, one that has closed, a loop with an item done and one failed."""
    flow = Flow(MADE)
    (opened,) = [other for other in others(flow.start(n=1)) if isinstance(other, LoopOpened)]
    flow.take(opened)
    flow.take(flow.token("c", "a", a={"v": 1}))
    flow.take(flow.item("e", 0, 10))
    flow.take(flow.failed_item("e", 1, Failure("no", Fault.CALLER, "e[1].i", "a hint")))
    flow.take(flow.failed("$out", "c", Failure("x", Fault.PIPELINE, "c")))
    return flow


def test_the_log_tells_the_whole_state() -> None:
    """In whatever order the rows are read, and through JSON."""
    flow = busy()
    rows = json.loads(json.dumps(flow.rows))
    assert rebuild("r", rows, WINDOWS) == flow.state
    backwards = dict(reversed(list(rows.items())))
    assert rebuild("r", backwards, WINDOWS) == flow.state


def test_a_closed_join_leaves_its_marker_only() -> None:
    """The rows of its tokens are removed."""
    flow = busy()
    before = set(flow.rows)
    flow.take(flow.token("c", "b", b={"v": 2}))
    assert before - set(flow.rows) == {"token|c||a"}
    assert set(flow.rows) - before == {"closed|c|"}


def test_an_ended_loop_leaves_its_marker_only() -> None:
    """The rows of the loop and of its items are removed."""
    flow = busy()
    flow.take(flow.item("e", 2, 30))
    assert "ended|e|" in flow.rows
    assert not [row for row in flow.rows if row.startswith(("loop", "item"))]


def test_rows_that_came_late_do_not_open_again_what_has_closed() -> None:
    """A marker beside the rows that it stands for: the marker holds."""
    flow = busy()
    old = dict(flow.rows)
    flow.take(flow.token("c", "b", b={"v": 2}))
    flow.take(flow.item("e", 2, 30))
    merged = {**old, **flow.rows}
    state = rebuild("r", merged, WINDOWS)
    assert ("c", ()) not in state.joins
    assert ("c", ()) not in state.since
    assert not state.loops
    assert state.closed == {("c", ())}
    assert state.ended == {("e", ())}


def test_any_part_of_the_rows_is_a_state() -> None:
    """A worker may be lost between any two rows: what was written can always be read."""
    flow = busy()
    for number in range(len(flow.rows) + 1):
        for names in itertools.combinations(flow.rows, number):
            rebuild("r", {name: flow.rows[name] for name in names}, WINDOWS)


def test_an_ended_run_is_its_marker() -> None:
    """Whatever else was left, the run is over; what was left is named, so that it can be removed."""
    flow = busy()
    rows = {**flow.rows, DONE: {"kind": "run.failed", "opened": True}}
    state = rebuild("r", rows, WINDOWS)
    assert state.done is EventKind.RUN_FAILED
    assert state.opened
    assert not state.joins
    assert state.fatal is None
    gone = left_behind("r", rows)
    assert {row.row for row in gone} == set(flow.rows)
    assert all(row.value is None for row in gone)
    assert left_behind("r", flow.rows) == []
    assert left_behind("r", [DONE]) == []


def test_a_cancel_before_its_run_is_a_state() -> None:
    """Done, and never opened."""
    state = rebuild("r", {DONE: {"kind": "run.cancelled", "opened": False}}, {})
    assert (state.done, state.opened) == (EventKind.RUN_CANCELLED, False)
    assert OPEN not in state.rows
