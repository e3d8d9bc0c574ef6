"""Definitions that would hold an installation for hours, or take its memory: each fails clearly, and soon."""

from typing import Any

import pytest

from streams.errors import EvaluationError
from streams.flow import walk
from streams.flow.run import step
from streams.flow.state_rows import rebuild
from streams.language import template
from streams.language.expressions import value_limits
from streams.language.expressions.expression import BadExpression, parse
from streams.language.topology import Topology
from streams.messages import Context, Ending, Event, EventKind, LoopOpened, StopSignal, Task
from tests.attacks import PLUSES, SWELLING
from tests.unit.streams.compiling import pipeline, problems, run
from tests.unit.streams.flow.flowing import NOW, Flow

NESTED = """
nodes:
  outer:
    each: {x: "${n}"}
    concurrency: 1024
    nodes:
      inner:
        each: {y: "${n}"}
        concurrency: 1024
        nodes: {v: {value: "${x + y}"}}
        output: "${v}"
    output: "${inner}"
output: {r: "${outer}"}
"""


def end_of(topology: Topology, **inputs: Any) -> Event:
    """How a run ends."""
    end = run(topology, **inputs).end
    assert end is not None
    return end


def test_a_walk_that_makes_much_ends() -> None:
    """Each value is allowed, and all of them together are not; an `on_error` does not turn it into something that goes on."""
    end = end_of(pipeline(SWELLING, input="{text: string}"), text="x" * 60_000)
    assert end.kind is EventKind.RUN_FAILED
    assert end.data["reason"].endswith(value_limits.SPENT)
    assert end.data["fault"] == "pipeline"


def test_values_that_a_walk_sends_count_too() -> None:
    """A large value that goes to many nodes is written once for each."""
    tasks = "\n".join(f'  t{n}: {{service: calc, with: {{x: "${{size(big)}}"}}}}' for n in range(20))
    topology = pipeline(
        f'nodes:\n  big: {{value: "${{{PLUSES.format("text")}}}"}}\n{tasks}\noutput: {{r: "${{big}}"}}',
        input="{text: string}",
    )
    flow = Flow(topology)
    sent = flow.start(text="x" * 1_000_000)
    assert sum(isinstance(message, Task) for message in sent) < 10


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (f"[{', '.join(['x'] * 1000)}]", {"x": list(range(40_000))}),
        (PLUSES.format("(x + x + x + x)"), {"x": list(range(100_000))}),
    ],
)
def test_an_expression_is_refused_before_it_is_made(
    text: str, values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """CEL is not even asked: what it made would be there before anybody could count it."""
    spec = parse(text)
    monkeypatch.setattr("streams.language.expressions.expression._result", lambda *_: pytest.fail("it was evaluated"))
    with pytest.raises(EvaluationError, match=r"characters that a value may have|units of work"):
        spec.evaluate(values)


@pytest.mark.parametrize(
    "text",
    [
        "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10].all(i, !text.matches('(a|b|ab)*c' + string(i)))",
        "text.matches('[a-c]{0,300}[a-c]{0,300}b')",
        "text.contains(text.substring(1000) + 'z')",
        "[1, 2, 3, 4].map(i, text.replace('a', text.substring(i, 1000))).size() > 0",
        "text.split('').map(c, c + c).size() > 0",
    ],
)
def test_an_expression_that_would_take_long_is_refused(text: str) -> None:
    """What it would read, as often as it would read it, is its price."""
    with pytest.raises(EvaluationError, match=r"units of work that an expression may|characters that a value may have"):
        parse(text).evaluate({"text": "ab" * 450_000})


@pytest.mark.parametrize(
    ("text", "values", "value"),
    [
        ("size(xs.filter(x, x.n > 0 && x.name.startsWith('a')))", {"xs": [{"n": 1, "name": "ab" * 50}] * 3000}, 3000),
        (
            "xs.map(x, x.tags.map(t, x.name + t).size()).size()",
            {"xs": [{"name": "n" * 200, "tags": ["t"] * 10}] * 900},
            900,
        ),
        ("text.replace('a', 'b').replace('c', 'd').size()", {"text": "abc" * 300_000}, 900_000),
        ("text.matches('.*needle$')", {"text": "hay" * 300_000 + "needle"}, True),
        ("text.split(',').map(x, int(x)).size()", {"text": ",".join(map(str, range(3000)))}, 3000),
        ("xs.map(x, x * 2).size()", {"xs": list(range(9_999))}, 9_999),
        ("xs.map(x, string(x)).join(',').size() > 0", {"xs": list(range(4_000))}, True),
    ],
)
def test_usual_work_on_large_values_is_allowed(text: str, values: dict[str, Any], value: Any) -> None:
    """The bound is what an expression could take, and not so far above what it takes that it would be in the way."""
    assert parse(text).evaluate(values) == value


def test_work_counts_as_executions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop of expressions that are allowed one by one is bounded in all."""
    monkeypatch.setattr(walk, "EXECUTION", 10_000)
    topology = pipeline(
        """
limit: 60
nodes:
  e:
    each: {x: "${xs}"}
    nodes: {a: {value: "${text.contains('q' + string(x))}"}}
    output: "${a}"
output: {r: "${size(e)}"}
""",
        input="{xs: [int], text: string}",
    )
    assert end_of(topology, xs=[1] * 20, text="x").kind is EventKind.RUN_FINISHED
    end = end_of(topology, xs=[1] * 20, text="x" * 10_000)
    assert end.data["reason"] == "more than 60 nodes, rounds and items, which is the run's limit"


def test_a_loop_of_more_items_than_a_run_may_have_does_not_begin() -> None:
    """Nothing of it is sent: no item, no task, only the end."""
    flow = Flow(pipeline(NESTED, input="{n: [int]}"))
    flow.start(n=list(range(3000)))
    sent = flow.take(flow.opened("outer", tuple(range(20_000))))
    assert [type(message).__name__ for message in sent] == ["Control", "Event", "Result"]
    assert flow.rows.keys() == {"done"}


def test_nested_loops_of_millions_end_at_the_limit() -> None:
    """Nine million items to come are never sent: what is at work is bounded, and then the run is over."""
    topology = pipeline(NESTED, input="{n: [int]}")
    seen = run(topology, n=list(range(3000)))
    assert seen.end is not None
    assert seen.end.data["reason"] == "more than 10,000 nodes, rounds and items, which is the run's limit"
    assert len(seen.tokens) < 15_000


@pytest.mark.parametrize("late", [False, True])
def test_a_run_that_is_over_in_time_or_cancelled_begins_no_more(late: bool) -> None:
    """A deadline is seen at the next message, whatever that is; and what follows changes nothing."""
    flow = Flow(pipeline(NESTED, input="{n: [int]}"))
    flow.start(n=[1, 2, 3])
    opened = flow.opened("outer", (1, 2, 3))
    if late:
        flow.now = flow.run.deadline
        sent = flow.take(opened)
    else:
        sent = flow.take(StopSignal(flow.run.id, Ending.CANCEL))
    assert [type(message).__name__ for message in sent] == ["Control", "Event", "Result"]
    assert flow.take(opened) == []


def test_an_end_that_was_decided_stays_decided() -> None:
    """A worker that is lost after it wrote down the end, and before it was told: whatever comes next ends the run so."""
    topology = pipeline(NESTED, input="{n: [int]}")
    flow = Flow(topology)
    flow.start(n=[1, 2, 3])
    stopping = step(topology, flow.state, StopSignal(flow.run.id, Ending.CANCEL), NOW)
    again = Flow(topology)
    again.start(n=[1, 2, 3])
    for row in stopping.before:
        again.write(row)
    again.state = rebuild("r", again.rows, {})
    sent = again.take(LoopOpened(again.run, "outer", (), (1, 2, 3), Context(), Context()))
    assert [message.kind for message in sent if isinstance(message, Event)] == [EventKind.RUN_CANCELLED]


def test_a_request_whose_time_is_up_is_accepted_and_fails() -> None:
    """It waited longer than it may take: its client is told so."""
    flow = Flow(pipeline(NESTED, input="{n: [int]}"))
    flow.now = flow.run.deadline
    sent = flow.start(n=[1])
    assert [message.kind for message in sent if isinstance(message, Event)] == [
        EventKind.ACCEPTED,
        EventKind.RUN_FAILED,
    ]


def test_a_text_of_quotes_is_read_in_a_time_that_grows_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """No quote is followed further than an expression may be long, however long the text is."""
    followed = 0

    class Counting:
        """Counts what is looked at."""

        def match(self, text: str, at: int, end: int) -> Any:
            """As the pattern does."""
            nonlocal followed
            followed += min(end, len(text)) - at
            return quoted.match(text, at, end)

    quoted = template._QUOTED
    monkeypatch.setattr(template, "_QUOTED", Counting())
    for text in ("${" + '\\"' * 30_000, "${" + '"""' * 20_000, "${'" * 20_000):
        followed = 0
        with pytest.raises(BadExpression):
            template.pieces(text)
        assert followed < 4096 * 4096


@pytest.mark.parametrize("value", ["${" + "x" * (1 << 16) + "}", "x" * (1 << 16) + "${n}"])
def test_a_text_with_expressions_has_a_bound(value: str) -> None:
    """A long text without any is allowed."""
    with pytest.raises(BadExpression, match="65,536 characters"):
        template.pieces(value)
    assert template.pieces("x" * (1 << 17)) == (("x" * (1 << 17), 0, False),)


def test_no_more_is_said_than_anybody_reads() -> None:
    """A file of thousands of mistakes gets a hundred of them, and a word that there may be more."""
    nodes = "\n".join(f'  n{at}: {{value: "${{nobody{at}}}"}}' for at in range(2000))
    reported = problems(f"pipeline: p\nnodes:\n{nodes}\noutput: {{r: 1}}\n")
    assert len(reported) == 101
    assert reported[0] == "p.yaml: there may be more than these 100 problems (mend these first)"
    keys = "\n".join(f"key{at}: 1" for at in range(2000))
    assert len(problems(f"pipeline: p\n{keys}\noutput: {{r: 1}}\n")) == 101
