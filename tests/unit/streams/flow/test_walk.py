"""Walking: what is inline, what is sent, and what must never happen."""

import itertools

import pytest

from streams.flow import walk
from streams.flow.walk import ContextLost, Walk, dropped, first_failure
from streams.messages import Context, Event, EventKind, Failure, Fault, JoinToken, Run, Status, Task
from tests.unit.streams.compiling import pipeline, run

RUN = Run("r", "test", "d", 0.0)


def test_all_that_costs_no_hop_is_walked_at_once() -> None:
    """Values, conditions, ifs, repeats and sub-pipelines are passed in one walk, up to the tasks that they lead to."""
    topology = pipeline(
        """
nodes:
  a: {value: "${n + 1}"}
  b: {value: "${a}", when: a > 100}
  c: {if: a > 1, then: {nodes: {d: {value: "${a * 2}"}}, output: "${d}"}, else: {output: 0}}
  r: {repeat: {s: "${c}"}, next: {s: "${s + 1}"}, max: 3, output: "${s}"}
  t: {service: calc, with: {x: "${r}"}}
output: {r: "${t.v}", b: "${first(b, 0)}"}
"""
    )
    walk = Walk(topology, RUN)
    walk.enter("", (), Context({":n": 1}))
    sent = walk.messages()
    (task,) = [message for message in sent if isinstance(message, Task)]
    assert task.input == {"x": 6, "y": 0}
    events = [(message.kind, message.path) for message in sent if isinstance(message, Event)]
    assert events == [
        (EventKind.FINISHED, "a"),
        (EventKind.SKIPPED, "b"),
        (EventKind.FINISHED, "c.then.d"),
        (EventKind.FINISHED, "c"),
        (EventKind.FINISHED, "r"),
    ]
    assert sent[: len(events)] == [message for message in sent if isinstance(message, Event)], "events come first"
    assert [(message.edge, message.status) for message in sent if isinstance(message, JoinToken)] == [
        ("b", Status.SKIPPED)
    ]


@pytest.mark.parametrize("handled", ["fail", "skip", "{use: 0}"])
def test_endless_loops_in_loops_fail(handled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loops in loops are bounded each, and together not at all: too many rounds in a row end the run, whatever handles failures."""
    inner = "{repeat: {s: 0}, next: {s: '${s + 1}'}, max: 10000, output: '${s}'"
    topology = pipeline(
        f"""
nodes:
  a:
    repeat: {{t: 0}}
    nodes: {{b: {inner}, on_error: {handled}}}}}
    next: {{t: "${{first(b, 0)}}"}}
    max: 10000
    on_error: {handled}
    output: "${{t}}"
output: {{r: "${{first(a, 0)}}"}}
"""
    )
    monkeypatch.setattr(walk, "MAX_STEPS", 5000)
    end = run(topology, n=1).end
    assert end is not None
    assert end.kind is EventKind.RUN_FAILED
    assert end.data["reason"] == "more than 100,000 nodes and rounds in a row without a service"
    assert end.data["fault"] == "pipeline"


def test_many_items_at_once_are_no_endless_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is begun together is more than one item would need, and each has its share."""
    monkeypatch.setattr(walk, "MAX_STEPS", 50)
    topology = pipeline(
        """
nodes:
  e:
    each: {x: "${[n, n, n, n, n, n, n, n, n, n]}"}
    nodes: {a: {value: 1}, b: {value: "${a}"}, c: {value: "${b}"}, d: {value: "${c}"}, f: {value: "${d}"}, g: {value: "${f}"}}
    output: "${g}"
output: {r: "${e}"}
"""
    )
    assert run(topology, n=1).output == {"r": [1] * 10}
    looping = "nodes: {r: {repeat: {s: 0}, next: {s: '${s + 1}'}, max: 100, output: '${s}'}}\noutput: {r: '${r}'}"
    end = run(pipeline(looping), n=1).end
    assert end is not None
    assert end.kind is EventKind.RUN_FAILED


def test_a_key_that_nobody_knows_is_a_fault_of_ours() -> None:
    """Neither a value nor a skip: never silently nothing."""
    walk = Walk(pipeline('output: {r: "${n}"}'), RUN)
    with pytest.raises(ContextLost, match=r"run r: nothing is known of \['x'\]"):
        walk.restrict(Context({"a": 1}, frozenset("b")), frozenset("abx"))
    assert walk.restrict(Context({"a": 1}, frozenset("b")), frozenset("ab")) == Context({"a": 1}, frozenset("b"))
    assert walk.restrict(Context({"a": 1}, frozenset("b")), frozenset("b")) == Context({}, frozenset("b"))


def test_the_failure_that_is_reported_does_not_hang_on_order() -> None:
    """A real one before one that was dropped, then the first by place and reason."""
    failures = [
        Failure("z", Fault.CALLER, "a"),
        Failure("a", Fault.SERVICE, "b"),
        Failure("b", Fault.SERVICE, "b"),
        Failure("a", Fault.DROPPED, "a"),
    ]
    for order in itertools.permutations(failures):
        assert first_failure(list(order)) == failures[0]
    assert first_failure([failures[3]]) == failures[3]


def test_a_dropped_task_has_failed_without_having_begun() -> None:
    """Nothing turns it into something else: its run is ending."""
    outcome = dropped("over")
    assert outcome.status is Status.FAILED
    assert outcome.failure == Failure("over", Fault.DROPPED)
