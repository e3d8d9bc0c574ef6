"""Bounds on what expressions compute: a mistake, or an ill will, fails the run and nothing else."""

from typing import Any

import pytest

from streams.errors import EvaluationError
from streams.language import template
from streams.language.expressions import value_limits
from streams.language.expressions.expression import parse

HUGE = "'a'.replace('a', big).replace('a', big).replace('a', big)"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("s + s", {"s": "x" * (value_limits.LARGEST // 2)}),
        ("xs + xs", {"xs": [1] * (value_limits.LARGEST // value_limits.PART // 2)}),
        ("[s, s]", {"s": "x" * (value_limits.LARGEST // 2)}),
        ("{'a': s, 'b': s}", {"s": "x" * (value_limits.LARGEST // 2)}),
        ("xs.map(x, s)", {"xs": list(range(9000)), "s": "x" * 10_000}),
        ("xs.map(x, s)", {"xs": list(range(200)), "s": "x" * 100_000}),
        ("b'ab' + raw", {"raw": b"x" * value_limits.LARGEST}),
    ],
)
def test_a_value_has_a_bound(text: str, values: dict[str, Any]) -> None:
    """What an expression gives is counted as it is read."""
    with pytest.raises(EvaluationError, match="more than the 16,777,216 characters that a value may have"):
        parse(text).evaluate(values)


@pytest.mark.parametrize("value", ["${s}${s}", ["${s}", "${s}"], {"a": "${s}", "b": ["${s}"]}])
def test_parts_of_a_value_count_together(value: Any) -> None:
    """A text, a list or a record of several expressions is one value."""
    half = "x" * (value_limits.LARGEST // 2)
    with pytest.raises(EvaluationError, match="characters that a value may have"):
        template.evaluate(template.read(value, ()), {"s": half})
    assert template.evaluate(template.read("${s}", ()), {"s": half}) == half


def test_an_expression_that_needs_too_much_memory_fails_alone() -> None:
    """An expression that multiplies a text without end is ended by what it may take, and the next one works."""
    with pytest.raises(EvaluationError, match="characters that a value may have"):
        parse(HUGE).evaluate({"big": "a" * 4000})
    assert parse("'a'.replace('a', big)").evaluate({"big": "b"}) == "b"
