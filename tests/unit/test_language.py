"""The language reference: every example is checked, run and drawn, every expression evaluated, every limit true, every word there."""

import json
import re

import pytest

from streams import errors
from streams.cli.commands import COMMANDS
from streams.compile.node_builder import MAX_ATTEMPTS, MAX_PARTS
from streams.errors import EvaluationError
from streams.flow import message_handler as flow
from streams.flow import walk
from streams.language import template
from streams.language.definition.model import GRAMMAR, OPTIONS, NodeKind
from streams.language.definition.parse import MAX_DAYS, TOP_KEYS
from streams.language.expressions import expression, value_limits
from streams.language.expressions.checker import Checker
from streams.language.expressions.expression import parse
from streams.language.source import document, identifiers
from streams.language.topology import DEFAULT_LIMIT, DEFAULT_TIMEOUT, Retry
from streams.language.types import WORDS
from streams.nodes import each, pipeline, repeat
from streams.testing.cases.suite import run
from tests.unit.pages import LANGUAGE, Example, drawn, examples

PAGE = LANGUAGE.read_text(encoding="utf-8")
EXAMPLES = list(examples())


def table(head: str) -> dict[str, str]:
    """The rows of the table under this head: first cell → second, code marks and escapes removed."""
    rows = PAGE.split(f"{head}\n| --- | --- |\n")[1].partition("\n\n")[0].splitlines()
    cells = (re.split(r"(?<!\\)\|", row.strip("|"))[:2] for row in rows)
    return {one.strip().strip("`").replace("\\|", "|"): two.strip().strip("`") for one, two in cells}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one.spec.name)
def test_every_example_holds(example: Example) -> None:
    """It is right, has tests, and each of them passes in every weather."""
    suite = example.suite()
    assert suite.problems == ()
    assert suite.ready, "an example without a test"
    for ready in suite.ready:
        assert run(suite, ready, 0).problems == (), ready.case.name


def test_every_example_is_found() -> None:
    """No block of YAML is left out because it is written otherwise."""
    assert len(EXAMPLES) == PAGE.count("```yaml") == PAGE.count("```mermaid")
    assert len({one.spec.name for one in EXAMPLES}) == len(EXAMPLES)


def test_every_picture_is_what_the_renderer_draws() -> None:
    """The pictures are those of the examples as they are now."""
    assert drawn() == PAGE, "python -m tests.unit.pages draws them again"


@pytest.mark.parametrize(("text", "value"), table("| expression | gives |").items())
def test_every_expression_gives_what_is_said(text: str, value: str) -> None:
    """And its type is known before it is evaluated."""
    made = parse(text).evaluate({})
    assert made == json.loads(value)
    assert type(made) is type(json.loads(value))
    Checker().check(text, {})


def test_every_limit_is_the_true_one() -> None:
    """The numbers of the page are those of the code."""
    limits = {
        "bytes of a file": document.MAX_BYTES,
        "levels of lists and mappings in a file": document.MAX_DEPTH,
        "characters of a name": identifiers.MAX_NAME,
        "characters of an expression": expression.MAX_LENGTH,
        "characters of a text with expressions in it": template.MAX_TEXT,
        "reported problems of a file": errors.MOST_PROBLEMS,
        "nesting of an expression, where each `+` is one level": expression.MAX_NESTING,
        "nesting of `map`, `filter`, `exists`, `all`": expression.MAX_DEPTH,
        "items that `map`, `filter`, … of one expression may visit": expression.MAX_STEPS,
        "characters of an expression's value, where a number or a field counts as 8": value_limits.LARGEST,
        "fields of a node's type, including nested ones": MAX_PARTS,
        "nodes and rounds computed in a row without a service": walk.MAX_STEPS,
        "units of work of one expression": value_limits.WORK,
        "units of work in a row without a service": value_limits.BUDGET,
        "units of work that count as one additional node": walk.EXECUTION,
        "nodes, rounds and items of a run, by default": DEFAULT_LIMIT,
        "days of a duration": MAX_DAYS,
        "attempts of a node": MAX_ATTEMPTS,
        "attempts of a node, by default": Retry().attempts,
        "items of an `each` at a time": each.MAX_CONCURRENCY,
        "items of nested loops at a time, shared among the inner ones": flow.ITEMS,
        "items of an `each` at a time, by default": each.CONCURRENCY,
        "rounds of a `repeat`": repeat.MAX_ROUNDS,
        "nesting of pipelines": pipeline.MAX_INLINED,
        "nodes of a pipeline that may still inline another one": pipeline.MAX_NODES,
        "seconds of a run, by default": int(DEFAULT_TIMEOUT),
    }
    assert {key: int(value) for key, value in table("| limit | value |").items()} == {
        key.strip("`"): value for key, value in limits.items()
    }


def test_an_expression_that_walks_too_far_says_what_to_do() -> None:
    """The limit on the items of one expression is the documented one."""
    most = list(range(expression.MAX_STEPS))
    assert parse("a.all(x, x >= 0)").evaluate({"a": most})
    with pytest.raises(EvaluationError, match="9,999 items at most: use each"):
        parse("a.all(x, x >= 0)").evaluate({"a": [*most, 1]})


def test_an_expression_that_nests_too_deep_says_so() -> None:
    """The limit holds wherever the library notices it."""
    most = expression.MAX_NESTING
    assert parse(" + ".join(["1"] * most)).evaluate({}) == most
    for text in (" + ".join(["1"] * (most + 1)), "-(" * 2 * most + "1" + ")" * 2 * most):
        with pytest.raises(expression.BadExpression, match="nests deeper than 32 levels"):
            Checker().check(parse(text).text, {})


def test_every_word_of_the_language_is_explained() -> None:
    """Each kind of node has a part with an example, and each key, option and type is somewhere on the page."""
    kinds = {kind for example in EXAMPLES for kind in _kinds(example)}
    assert kinds == set(NodeKind)
    for kind in NodeKind:
        assert f"## `{kind.value}:`" in PAGE
    keys = {key for one in GRAMMAR.values() for key in (*one.required, *one.optional, *one.blocks)}
    for word in {*keys, *OPTIONS, *TOP_KEYS, *WORDS}:
        assert re.search(rf"`[^`\n]*\b{word}\b[^`\n]*`", PAGE), word


def test_every_command_of_the_page_exists() -> None:
    """Commands that it shows exist."""
    known = {command.name for command in COMMANDS}
    shown = set(re.findall(r"`millrace ([a-z-]+)", PAGE))
    assert shown
    assert shown <= known


def _kinds(example: Example) -> set[NodeKind]:
    found, left = set[NodeKind](), [example.spec.block]
    while left:
        for node in left.pop().nodes:
            found.add(node.kind)
            left += node.blocks.values()
    return found
