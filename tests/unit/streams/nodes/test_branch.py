"""`if:` nodes."""

from streams.messages import EventKind
from tests.unit.streams.compiling import pipeline, run

BOTH = pipeline(
    """
nodes:
  a: {value: "${n * 10}"}
  g:
    if: n > 2
    then: {nodes: {t: {service: calc, with: {x: "${a}"}}}, output: "${t.v}"}
    else: {output: "${a + n}"}
output: {r: "${g}", a: "${a}"}
"""
)


def test_one_side_is_taken() -> None:
    """The value is the output of the side taken; the other leaves no trace."""
    assert run(BOTH, n=3).output == {"r": 30, "a": 10 * 3}
    seen = run(BOTH, n=1)
    assert seen.output == {"r": 11, "a": 10}
    assert not [event for event in seen.events if event.path.startswith("g.then")]


def test_without_else_it_is_skipped() -> None:
    """A false condition without an `else` skips the node, with the reason."""
    topology = pipeline('nodes: {g: {if: n > 2, then: {output: "${n}"}}}\noutput: {r: "${first(g, -1)}"}')
    assert run(topology, n=3).output == {"r": 3}
    seen = run(topology, n=1)
    assert seen.output == {"r": -1}
    (skipped,) = (event for event in seen.events if event.kind is EventKind.SKIPPED)
    assert skipped.data["reason"] == "if: n > 2 is false and there is no else"


def test_a_failure_inside_is_the_node_s_failure() -> None:
    """Its `on_error` applies, and what comes after still knows what came before."""
    text = """
nodes:
  a: {value: "${n + 1}"}
  g: {if: a > 0, then: {nodes: {t: {service: calc, with: {x: 13}}}, output: "${t.v}"}, on_error: ON_ERROR}
  z: {value: "${first(g, a)}"}
output: {r: "${z}"}
"""
    assert run(pipeline(text.replace("ON_ERROR", "skip")), n=4).output == {"r": 5}
    assert run(pipeline(text.replace("ON_ERROR", '{use: "${a * 100}"}')), n=4).output == {"r": 500}
    end = run(pipeline(text.replace("ON_ERROR", "fail")), n=4).end
    assert end is not None
    assert end.data["at"] == "g.then.t"
    assert end.data["reason"] == "13 is not taken"


def test_an_output_that_fails_is_placed_at_its_side() -> None:
    """The failure of a side's output names the side."""
    topology = pipeline('nodes: {g: {if: n == 0, then: {output: "${1 / n}"}, else: {output: 1}}}\noutput: {r: "${g}"}')
    end = run(topology, n=0).end
    assert end is not None
    assert end.data["at"] == "g.then"


def test_a_condition_that_fails_fails_the_node() -> None:
    """With its `on_error`."""
    topology = pipeline('nodes: {g: {if: 1 / n > 2, then: {output: 1}, on_error: skip}}\noutput: {r: "${first(g, 9)}"}')
    assert run(topology, n=0).output == {"r": 9}
