"""Loops: the window, the collection, and what comes late or twice."""

from streams.messages import (
    Action,
    Control,
    Event,
    EventKind,
    Failure,
    Fault,
    JoinToken,
    LoopItemDone,
    LoopOpened,
    Message,
    Task,
)
from tests.unit.streams.compiling import pipeline
from tests.unit.streams.flow.flowing import Flow, events, others

BODY = """
nodes:
  e:
    each: {x: "${[1, 2, 3, 4, 5]}"}
    concurrency: 2
    nodes: {i: {service: calc, with: {x: "${x}"}}}
    output: "${i.v}"
ON_ERROR
output: {r: "${first(e, [])}"}
"""
LOOP = pipeline(BODY.replace("ON_ERROR\n", ""))
SOFT = pipeline(BODY.replace("ON_ERROR", "    on_error: skip"))
NO = Failure("no", Fault.CALLER, "e[0].i")


def opened(topology: object = LOOP) -> tuple[Flow, list[Message]]:
    """A flow with its loop open, and what the opening sent."""
    assert topology is LOOP or topology is SOFT
    flow = Flow(LOOP if topology is LOOP else SOFT)
    (message,) = others(flow.start(n=1))
    assert isinstance(message, LoopOpened)
    return flow, flow.take(message)


def begun(messages: list[Message]) -> list[int]:
    """The items whose tasks were sent."""
    return [message.at[-1] for message in messages if isinstance(message, Task)]


def test_a_loop_begins_a_window_of_items() -> None:
    """As many as `concurrency` says; each end begins the next, whichever it is."""
    flow, sent = opened()
    assert begun(sent) == [0, 1]
    assert begun(flow.take(flow.item("e", 1, 20))) == [2]
    assert begun(flow.take(flow.item("e", 2, 30))) == [3]
    assert begun(flow.take(flow.item("e", 0, 10))) == [4]
    assert begun(flow.take(flow.item("e", 4, 50))) == []
    sent = flow.take(flow.item("e", 3, 40))
    assert events(sent) == [(EventKind.FINISHED, "e")]
    assert isinstance(sent[0], Event)
    assert sent[0].data == {"output": [10, 20, 30, 40, 50]}


def test_a_repeated_item_counts_once() -> None:
    """It begins no further item, and its first word stands."""
    flow, _ = opened()
    assert begun(flow.take(flow.item("e", 0, 10))) == [2]
    assert flow.take(flow.item("e", 0, 99)) == []
    for index in (1, 2, 3):
        flow.take(flow.item("e", index, index))
    sent = flow.take(flow.item("e", 4, 4))
    assert isinstance(sent[0], Event)
    assert sent[0].data == {"output": [10, 1, 2, 3, 4]}


def test_messages_after_the_end_of_a_loop_do_nothing() -> None:
    """An item or an opening of a loop that has ended does nothing and leaves nothing."""
    flow, _ = opened()
    for index in range(5):
        flow.take(flow.item("e", index, index))
    assert flow.state is not None
    assert not flow.state.loops
    assert flow.take(flow.item("e", 2, 2)) == []
    assert flow.take(flow.opened("e", (1, 2, 3, 4, 5))) == []
    assert not flow.state.loops


def test_a_repeated_opening_begins_again_what_has_not_ended() -> None:
    """Whether it was sent before is not known: the same tasks are sent again, and no others."""
    flow, first = opened()
    flow.take(flow.item("e", 0, 10))
    again = flow.take(flow.opened("e", (1, 2, 3, 4, 5)))
    assert begun(again) == [1, 2]
    assert again[0] == first[1]


def test_after_a_failure_nothing_new_begins() -> None:
    """What is under way ends, then the loop fails with the failure that stands first."""
    flow, _ = opened(SOFT)
    assert flow.take(flow.failed_item("e", 1, Failure("b", Fault.CALLER, "e[1].i"))) == []
    sent = flow.take(flow.failed_item("e", 0, NO))
    assert events(sent) == [(EventKind.FAILED, "e")]
    assert isinstance(sent[0], Event)
    assert (sent[0].data["at"], sent[0].data["on_error"]) == ("e[0].i", "skip")
    (token,) = others(sent)
    assert isinstance(token, JoinToken)
    assert token.failure is None


def test_a_fatal_failure_of_an_item_stops_the_run_s_tasks() -> None:
    """Only where nothing further out turns it into something else."""
    flow, _ = opened()
    assert flow.take(flow.failed_item("e", 1, NO)) == [Control("r", Action.ABORT)]
    flow, _ = opened(SOFT)
    assert flow.take(flow.failed_item("e", 1, NO)) == []


def test_values_read_after_the_loop_travel_past_it() -> None:
    """The token after the loop brings what was known before it."""
    topology = pipeline('nodes: {e: {each: {x: "${[n]}"}, output: "${x}"}}\noutput: {r: "${e}", n: "${n}"}')
    flow = Flow(topology)
    (message,) = others(flow.start(n=7))
    assert isinstance(message, LoopOpened)
    (item,) = flow.take(message)
    assert isinstance(item, LoopItemDone)
    (token,) = others(flow.take(item))
    assert isinstance(token, JoinToken)
    assert dict(token.context.values) == {":n": 7, "e": [7]}


def test_a_long_loop_is_collected_in_linear_time() -> None:
    """An item costs the same at the end of a loop as at its beginning: what it sends and writes does not grow."""
    topology = pipeline(
        'nodes: {e: {each: {x: "${xs}"}, nodes: {i: {service: calc, with: {x: "${x}"}}}, output: "${i.v}"}}\noutput: {r: "${e}"}',
        input="{xs: [int]}",
    )
    flow = Flow(topology)
    (message,) = others(flow.start(xs=list(range(1000))))
    assert isinstance(message, LoopOpened)
    flow.take(message)
    for index in range(900):
        sent = flow.take(flow.item("e", index, index))
        assert len(sent) == 1
        assert len(flow.rows) == index + 3


def test_an_item_that_comes_before_its_opening_is_kept() -> None:
    """The order of the log does not let it, but nothing is lost when it does: the opening goes on from there."""
    flow = Flow(LOOP)
    (message,) = others(flow.start(n=1))
    assert isinstance(message, LoopOpened)
    assert flow.take(flow.item("e", 1, 20)) == []
    assert begun(flow.take(message)) == [0, 2]
    for index in (0, 2, 3):
        flow.take(flow.item("e", index, index))
    sent = flow.take(flow.item("e", 4, 4))
    assert events(sent) == [(EventKind.FINISHED, "e")]


def test_an_opening_whose_items_have_all_ended_ends_the_loop() -> None:
    """Also when it is the last to come."""
    flow = Flow(LOOP)
    (message,) = others(flow.start(n=1))
    assert isinstance(message, LoopOpened)
    for index in range(5):
        assert flow.take(flow.item("e", index, index)) == []
    assert events(flow.take(message)) == [(EventKind.FINISHED, "e")]
    assert flow.state is not None
    assert not flow.state.loops
    assert not [row for row in flow.rows if row.startswith("item")]
