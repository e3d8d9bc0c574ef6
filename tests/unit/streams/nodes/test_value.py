"""`value:` nodes."""

from streams.messages import EventKind
from tests.unit.streams.compiling import pipeline, run


def test_values_cost_no_hop() -> None:
    """A pipeline of values computes where the run is: one token ends it."""
    topology = pipeline('nodes: {a: {value: "${n + 1}"}, b: {value: {x: "${a}", l: ["${a}", 2]}}}\noutput: {r: "${b}"}')
    seen = run(topology, n=1)
    assert seen.output == {"r": {"x": 2, "l": [2, 2]}}
    assert not seen.tasks
    assert len(seen.tokens) == 1


def test_an_expression_that_fails_fails_its_node() -> None:
    """The reason names the expression, the place names the node."""
    topology = pipeline('nodes: {a: {value: "${1 / n}"}}\noutput: {r: "${a}"}')
    seen = run(topology, n=0)
    assert seen.end is not None
    assert seen.end.kind is EventKind.RUN_FAILED
    assert (seen.end.data["reason"], seen.end.data["at"]) == ("1 / n: divide by zero", "a")


def test_a_skipped_reference_skips() -> None:
    """A strict reference to something skipped skips; `first()` does not; the events say why."""
    topology = pipeline(
        'nodes: {a: {value: 1, when: n > 5}, b: {value: "${a}"}, c: {value: "${first(b, a, 9)}"}}\noutput: {r: "${c}"}'
    )
    seen = run(topology, n=0)
    assert seen.output == {"r": 9}
    reasons = {event.path: event.data["reason"] for event in seen.events if event.kind is EventKind.SKIPPED}
    assert reasons == {"a": "when: n > 5 is false", "b": "a was skipped"}
    assert run(topology, n=6).output == {"r": 1}


def test_a_condition_must_be_true_or_false() -> None:
    """A condition over `any` that gives something else fails the node."""
    topology = pipeline('nodes: {a: {value: 1, when: x.y}}\noutput: {r: "${first(a, 2)}"}', input="{x: any}")
    assert run(topology, x={"y": True}).output == {"r": 1}
    assert run(topology, x={"y": False}).output == {"r": 2}
    end = run(topology, x={"y": 3}).end
    assert end is not None
    assert end.data["reason"] == "x.y: a condition gave the number 3, not true or false"


def test_on_error_turns_a_failure_where_it_happens() -> None:
    """Skipped, another value, or still failed when that value cannot be computed."""
    text = 'nodes: {{b: {{value: 5, when: n > 0}}, a: {{value: "${{1 / n}}", on_error: {0}}}}}\noutput: {{r: "${{first(a, -1)}}"}}'
    assert run(pipeline(text.format("skip")), n=0).output == {"r": -1}
    assert run(pipeline(text.format('{use: "${n + 7}"}')), n=0).output == {"r": 7}
    for broken in ('{use: "${2 / n}"}', '{use: "${b}"}'):
        end = run(pipeline(text.format(broken)), n=0).end
        assert end is not None
        assert end.data["reason"] == "1 / n: divide by zero"


def test_a_failure_is_reported_with_its_on_error() -> None:
    """`node.failed` says what became of the failure."""
    topology = pipeline('nodes: {a: {value: "${1 / n}", on_error: {use: 3}}}\noutput: {r: "${a}"}')
    (failed,) = (event for event in run(topology, n=0).events if event.kind is EventKind.FAILED)
    assert failed.data["on_error"] == "use"
