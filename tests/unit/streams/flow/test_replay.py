"""Repeating a run: what is executed again, what is taken over, and what can be changed."""

from typing import Any

import pytest

from streams.flow.replay import BadReplay, affected, plan
from streams.language.topology import Topology
from streams.messages import Run, Start
from streams.testing.driver import FAIR, RUN, Driver, Seen
from tests.unit.streams.compiling import SERVICES, pipeline, run

CHAIN = """
nodes:
  a: {service: calc, with: {x: "${n}", y: 1}}
  b: {service: calc, with: {x: "${a.v}", y: 10}}
  c: {service: calc, with: {x: "${b.v}", y: 100}}
  side: {service: calc, with: {x: "${a.v}", y: 5}}
output: {c: "${c.v}", side: "${side.v}"}
"""
LOOPS = """
nodes:
  numbers: {service: calc, with: {x: "${n}"}}
  every:
    each: {i: "${numbers.items}"}
    nodes:
      one: {service: calc, with: {x: "${i}", y: 1}}
      two: {service: calc, with: {x: "${one.v}", y: 1}}
    output: "${two.v}"
  rounds:
    repeat: {s: "${n}"}
    nodes:
      before: {service: calc, with: {x: "${s}", y: 1}}
      after: {service: calc, with: {x: "${before.v}", y: 1}}
    next: {s: "${after.v}"}
    max: 2
    output: "${after.v}"
output: {all: "${every}", rounds: "${rounds}"}
"""


def outputs(seen: Seen) -> dict[Any, Any]:
    """What services gave."""
    return {
        (client_event.vertex, client_event.at): client_event.data["output"]
        for client_event in seen.client_events()
        if client_event.kind == "node.finished"
        and "v" in (client_event.data["output"] if isinstance(client_event.data["output"], dict) else ())
    }


def again(topology: Topology, first: Seen, inputs: dict[str, Any], **how: Any) -> tuple[Any, list[str]]:
    """The output of the repeated run, and the paths that were executed."""
    replay = plan(topology, inputs, outputs(first), **how)
    driver = Driver(topology, SERVICES, FAIR)
    driver.send(Start(Run(RUN, "test", topology.digest, 100.0), replay.input, "", replay.reused))
    while driver.deliver():
        pass
    return driver.seen.output, sorted(task.path for task in driver.seen.tasks)


def test_without_a_node_everything_runs_again() -> None:
    """A plain repeat takes nothing over."""
    topology = pipeline(CHAIN)
    first = run(topology, n=1)
    assert again(topology, first, {"n": 1}) == (first.output, ["a", "b", "c", "side"])
    assert again(topology, first, {"n": 1}, changes={"n": 3})[0] == {"c": 114, "side": 9}


def test_from_a_node_on() -> None:
    """That node and what comes after it run again; what stands beside is taken over."""
    topology = pipeline(CHAIN)
    first = run(topology, n=1)
    assert again(topology, first, {"n": 1}, start="b") == (first.output, ["b", "c"])


def test_reused_nodes_are_marked_as_reused() -> None:
    """A client sees nodes that were not executed as finished, with their output, marked as reused."""
    topology = pipeline(CHAIN)
    replay = plan(topology, {"n": 1}, outputs(run(topology, n=1)), start="c")
    driver = Driver(topology, SERVICES, FAIR)
    driver.send(Start(Run(RUN, "test", topology.digest, 100.0), replay.input, "", replay.reused))
    while driver.deliver():
        pass
    output = {
        client_event.path: client_event.data.get("reused", False)
        for client_event in driver.seen.client_events()
        if client_event.kind == "node.finished"
    }
    assert output == {"a": True, "b": True, "side": True, "c": False}


def test_a_changed_output() -> None:
    """An output that is changed is taken over as changed, and what comes after it runs again."""
    topology = pipeline(CHAIN)
    first = run(topology, n=1)
    assert again(topology, first, {"n": 1}, changes={"b.v": 50}) == ({"c": 150, "side": 7}, ["c"])


def test_inside_of_loops() -> None:
    """In an `each` every item is repeated from the node on; in a `repeat` the rounds after the first are whole again."""
    topology = pipeline(LOOPS)
    first = run(topology, n=3)
    assert again(topology, first, {"n": 3}, start="every.two")[1] == ["every[0].two", "every[1].two", "every[2].two"]
    assert again(topology, first, {"n": 3}, start="every[1].two")[1] == ["every[0].two", "every[1].two", "every[2].two"]
    assert again(topology, first, {"n": 3}, start="rounds.after") == (
        first.output,
        ["rounds[0].after", "rounds[1].after", "rounds[1].before"],
    )
    changed, paths = again(topology, first, {"n": 3}, changes={"every[1].one.v": 40})
    assert changed["all"] == [2, 41, 4]
    assert paths == ["every[0].two", "every[1].two", "every[2].two"]


def test_a_loop_whose_list_changes_is_whole_again() -> None:
    """What is inside of a node that is executed again is executed again."""
    topology = pipeline(LOOPS)
    assert affected(topology, ["numbers"], []) == {"numbers", "every.one", "every.two"}
    assert affected(topology, ["every"], []) == {"every.one", "every.two"}
    assert affected(topology, [], ["numbers"]) == {"every.one", "every.two"}


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"start": "bb"}, "no node 'bb' (did you mean 'b'?)"),
        ({"changes": {"m": 1}}, "no input and no output 'm'"),
        ({"changes": {"n": "much"}}, "n: expected"),
        ({"changes": {"a.v": "x"}}, "a.v: expected"),
        ({"changes": {"a.items[99]": 1}}, "there is no item 99"),
        ({"changes": {f"a.items[{'9' * 5000}]": 1}}, "this is not a path"),
        ({"changes": {"a.w": 1}}, "a.w"),
        ({"changes": {"a!": 1}}, "no input and no output 'a!'"),
    ],
)
def test_an_impossible_replay_is_refused(how: dict[str, Any], said: str) -> None:
    """Unknown nodes and paths, and values of the wrong type, are refused with where and what to do."""
    topology = pipeline(CHAIN)
    with pytest.raises(BadReplay) as refused:
        plan(topology, {"n": 1}, outputs(run(topology, n=1)), **how)
    assert said in str(refused.value)


def test_every_problem_at_once() -> None:
    """Everything that is wrong is said together."""
    topology = pipeline(CHAIN)
    with pytest.raises(BadReplay) as refused:
        plan(topology, {"n": 1}, {}, start="zz", changes={"n": "x", "q": 1})
    assert len(refused.value.problems) == 3
