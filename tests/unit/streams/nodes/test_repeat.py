"""`repeat:` nodes."""

from typing import Any

from tests.unit.streams.compiling import pipeline, run

GROW = """
nodes:
  a: {value: "${n}"}
  r:
    repeat: {s: "${a}", step: 3}
    nodes: {i: {service: calc, with: {x: "${s}", y: "${step}"}}}
    next: {s: "${i.v}"}
    until: i.v > 10
    max: MAX
    output: "${i.v}"
output: {r: "${r}", a: "${a}"}
"""


def grown(most: int, n: int) -> Any:
    """What the loop gives."""
    return run(pipeline(GROW.replace("MAX", str(most))), n=n).output


def test_state_is_carried_until_the_condition_holds() -> None:
    """The value is the output of the round in which it held; state without a `next` stays."""
    assert grown(9, 1) == {"r": 13, "a": 1}
    assert grown(9, 12) == {"r": 15, "a": 12}


def test_the_bound_ends_it_too() -> None:
    """After the last round that is allowed, its output is the value."""
    assert grown(2, 1) == {"r": 7, "a": 1}
    assert grown(1, 1) == {"r": 4, "a": 1}


def test_without_until_the_bound_decides() -> None:
    """Every round is run."""
    topology = pipeline(
        'nodes: {r: {repeat: {s: "${n}"}, next: {s: "${s * 2}"}, max: 4, output: "${s}"}}\noutput: {r: "${r}"}'
    )
    seen = run(topology, n=1)
    assert seen.output == {"r": 8}
    assert not seen.tasks


def test_a_thousand_rounds_need_no_depth() -> None:
    """Rounds that cost no hop are walked, not called."""
    topology = pipeline(
        'nodes: {r: {repeat: {s: 0}, next: {s: "${s + 1}"}, max: 5000, output: "${s}"}}\noutput: {r: "${r}"}'
    )
    assert run(topology, n=1).output == {"r": 4999}


def test_each_round_has_its_place() -> None:
    """Positions count the rounds."""
    seen = run(pipeline(GROW.replace("MAX", "3")), n=1)
    assert [task.path for task in seen.tasks] == ["r[0].i", "r[1].i", "r[2].i"]


def test_the_output_is_evaluated_at_the_end_only() -> None:
    """An output that fails in an earlier round harms nobody."""
    topology = pipeline(
        'nodes: {r: {repeat: {s: 0}, next: {s: "${s + 1}"}, until: s == 2, max: 5, output: "${4 / s}"}}\noutput: {r: "${r}"}'
    )
    assert run(topology, n=0).output == {"r": 2}


def test_failures_have_their_round() -> None:
    """A node, a `next`, an `until` that fails says in which round; `on_error` of the loop finds what came before it."""
    text = """
nodes:
  a: {value: "${n}"}
  r: {repeat: {s: 2}, next: {s: "${s - 1}"}, until: 4 / s > 9, max: 5, output: "${s}", on_error: ON_ERROR}
  z: {value: "${first(r, -1) + a}"}
output: {r: "${z}"}
"""
    end = run(pipeline(text.replace("ON_ERROR", "fail")), n=1).end
    assert end is not None
    assert (end.data["at"], end.data["reason"]) == ("r[2]", "4 / s > 9: divide by zero")
    assert run(pipeline(text.replace("ON_ERROR", "skip")), n=1).output == {"r": 0}
    assert run(pipeline(text.replace("ON_ERROR", '{use: "${a}"}')), n=1).output == {"r": 2}


def test_a_loop_may_wait_for_several_nodes_and_hold_joins() -> None:
    """A repeat that is a join begins when the join has closed; a join inside closes once a round."""
    topology = pipeline(
        """
nodes:
  a: {service: calc, with: {x: "${n}"}}
  b: {service: calc, with: {x: "${n}"}}
  r:
    repeat: {s: "${a.v + b.v}"}
    nodes: {i: {service: calc, with: {x: "${s}"}}, j: {service: calc, with: {x: "${s}", y: 1}}}
    next: {s: "${i.v + j.v}"}
    max: 3
    output: "${i.v + j.v}"
output: {r: "${r}"}
"""
    )
    assert run(topology, n=1).output == {"r": 23}
