"""`each:` nodes, as a walk meets them; what flow does with a loop is in flow/test_run_loops."""

from typing import Any

from streams.messages import EventKind, LoopOpened
from streams.testing.driver import Driver
from tests.unit.streams.compiling import SERVICES, pipeline, run

LOOP = pipeline(
    """
nodes:
  a: {value: "${n + 1}"}
  e:
    each: {x: "${xs}"}
    nodes: {i: {service: calc, with: {x: "${x}", y: "${index}"}}}
    output: "${i.v + a}"
output: {r: "${e}", a: "${a}"}
""",
    input="{n: int, xs: [int]}",
)


def test_outputs_stand_in_item_order() -> None:
    """Item and position are known in the body; the value is the list of the outputs."""
    assert run(LOOP, n=1, xs=[5, 3, 8]).output == {"r": [5 + 0 + 2, 3 + 1 + 2, 8 + 2 + 2], "a": 2}


def test_no_items_end_at_once() -> None:
    """An empty list opens nothing."""
    seen = run(LOOP, n=1, xs=[])
    assert seen.output == {"r": [], "a": 2}
    assert not seen.tasks


def test_a_loop_opens_with_items_and_values() -> None:
    """`opened` carries the items, what the body reads, and what is read after the loop."""
    opened: list[LoopOpened] = []

    def noted(message: Any) -> Any:
        opened.extend([message] if isinstance(message, LoopOpened) else [])
        return message

    Driver(LOOP, SERVICES, through=noted).run({"n": 1, "xs": [5, 3]})
    (message,) = opened
    assert message.items == (5, 3)
    assert dict(message.body.values) == {"a": 2}
    assert dict(message.after.values) == {"a": 2}


def test_a_value_that_is_no_list_fails_the_node() -> None:
    """A value of any type that turns out to be no list."""
    topology = pipeline('nodes: {e: {each: {x: "${v}"}, output: "${x}"}}\noutput: {r: "${e}"}', input="{v: any}")
    assert run(topology, v=[1]).output == {"r": [1]}
    end = run(topology, v={"a": 1}).end
    assert end is not None
    assert end.data["reason"] == "each goes through a list, not an object"


def test_a_loop_may_wait_for_several_nodes() -> None:
    """A loop that is a join too opens when the join has closed."""
    topology = pipeline(
        """
nodes:
  a: {service: calc, with: {x: "${n}"}}
  b: {service: calc, with: {x: "${n + 1}"}}
  e: {each: {x: "${[a.v, b.v]}"}, output: "${x * 2}"}
output: {r: "${e}"}
"""
    )
    assert run(topology, n=3).output == {"r": [6, 8]}


def test_a_failed_item_fails_the_loop() -> None:
    """The reason and the position of the item that failed; `on_error` of the loop applies to the whole."""
    end = run(LOOP, n=1, xs=[1, 13, 2]).end
    assert end is not None
    assert (end.data["at"], end.data["reason"]) == ("e[1].i", "13 is not taken")
    topology = pipeline(
        """
nodes:
  a: {value: "${n}"}
  e: {each: {x: [1, 13]}, nodes: {i: {service: calc, with: {x: "${x}"}}}, output: "${i.v}", on_error: {use: ["${a}"]}}
output: {r: "${e}"}
"""
    )
    assert run(topology, n=7).output == {"r": [7]}


def test_an_item_may_be_left_out_by_its_own_node() -> None:
    """A failure that `on_error` turns inside the body stays inside its iteration."""
    topology = pipeline(
        """
nodes:
  e:
    each: {x: "${[1, 13, 2]}"}
    nodes: {i: {service: calc, with: {x: "${x}"}, on_error: skip}}
    output: "${first(i.v, -1)}"
output: {r: "${e}"}
"""
    )
    seen = run(topology, n=0)
    assert seen.output == {"r": [1, -1, 2]}
    (failed,) = (event for event in seen.events if event.kind is EventKind.FAILED)
    assert (failed.path, failed.data["on_error"]) == ("e[1].i", "skip")


def test_loops_nest() -> None:
    """`index` is the position in the innermost loop; paths hold every position."""
    topology = pipeline(
        """
nodes:
  e:
    each: {x: [1, 2]}
    nodes:
      f: {each: {y: "${[x, x + 1, 3]}"}, nodes: {i: {service: calc, with: {x: "${y}", y: "${index}"}}}, output: "${i.v}"}
    output: "${f}"
output: {r: "${e}"}
"""
    )
    seen = run(topology, n=0)
    assert seen.output == {"r": [[1, 3, 5], [2, 4, 5]]}
    assert "e[1].f[2].i" in {task.path for task in seen.tasks}
