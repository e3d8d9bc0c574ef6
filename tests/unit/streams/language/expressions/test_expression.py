"""Expressions: what they read, when they can be evaluated, and what they give."""

import sys
from typing import Any

import pytest

from streams.errors import EvaluationError
from streams.language.expressions.expression import BadExpression, Condition, parse


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a.b + c[d]", {"a", "c", "d"}),
        ("xs.map(x, x + y)", {"xs", "y"}),
        ("xs.filter(x, x > 1).map(z, z.x)", {"xs"}),
        ("xs.exists(x, ys.all(y, y > x))", {"xs", "ys"}),
        ("x + xs.map(x, x)[0]", {"x", "xs"}),
        ("has(a.b.c)", {"a"}),
        ("{'k': a}.k + [b][0]", {"a", "b"}),
        ("math.greatest(a, 1) + int(b)", {"a", "b"}),
        ("a.charAt(0)", {"a"}),
        ("strings.quote(a)", {"a"}),
        ("strings.map(s, strings.quote(s))", {"strings"}),
        ("type(a) == int", {"a"}),
        ("first(a, b.c) + d", {"a", "b", "d"}),
        ("1 + 2", set()),
    ],
)
def test_free_names(text: str, names: set[str]) -> None:
    """What a comprehension binds is not read from outside, except where it is read outside of it."""
    assert parse(text).names == names


@pytest.mark.parametrize(
    ("text", "missing", "met"),
    [
        ("a + b", "", True),
        ("a + b", "b", False),
        ("first(a, b)", "a", True),
        ("first(a, b)", "b", True),
        ("first(a, b)", "ab", False),
        ("first(a, 1)", "a", True),
        ("first(a + b, c)", "a", True),
        ("first(a + b, c)", "ac", False),
        ("c + first(a, b)", "c", False),
        ("first(first(a, b), c)", "ab", True),
        ("first(first(a, b), c)", "abc", False),
        ("first(a, b) + first(c, d)", "ad", True),
        ("first(a, b) + first(c, d)", "ab", False),
        ("[first(a, 0)].map(x, first(x, b))", "a", True),
        ("[first(a, 0)].map(x, first(x, b))", "b", True),
    ],
)
def test_only_operands_of_first_may_be_missing(text: str, missing: str, met: bool) -> None:
    """Operands of `first()` are lax, all else is strict."""
    assert parse(text).needs.met(frozenset(missing)) is met


@pytest.mark.parametrize(
    ("text", "values", "value"),
    [
        ("a + 1", {"a": 2}, 3),
        ("a / 2.0", {"a": 3.0}, 1.5),
        ("a.b.c", {"a": {"b": {"c": "x"}}}, "x"),
        ("xs.filter(x, x.n > 1).map(x, x.n)", {"xs": [{"n": 1}, {"n": 2}]}, [2]),
        ("first(a, b)", {"a": 1, "b": 2}, 1),
        ("first(a, b)", {"b": 2}, 2),
        ("first(a, 7)", {}, 7),
        ("first(a + b, c)", {"a": 1, "c": 3}, 3),
        ("first(first(a, b), c) + first(b, c)", {"b": 1, "c": 3}, 2),
        ("first(a, null) == null", {}, True),
        ("first(a, null) == null", {"a": None}, True),
        ("{'k': a, 'l': [a]}", {"a": 1}, {"k": 1, "l": [1]}),
        ("'x' + string(a)", {"a": 1}, "x1"),
        ("a", {"a": None}, None),
        ("a == 1.0", {"a": 1}, True),
        ("b'ab'", {}, b"ab"),
        ("duration('90s')", {}, 90.0),
        ("timestamp('2026-11-21T00:00:00Z')", {}, "2026-11-21T00:00:00+00:00"),
        ("math.greatest(a, 5)", {"a": 3}, 5),
        ("strings.quote(a)", {"a": "x"}, '"x"'),
        ("strings.map(s, strings.quote(s))", {"strings": ["x"]}, ['"x"']),
        ("'a,b'.split(',')", {}, ["a", "b"]),
        ("uint(3)", {}, 3),
    ],
)
def test_values_are_plain(text: str, values: dict[str, Any], value: Any) -> None:
    """Values come back as what a record can carry."""
    found = parse(text).evaluate(values)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("s", "x\0yz"),
        ("r", {"s": ["a\0b"], "k\0l": 1, "raw": b"a\0b"}),
        ("r.s", ["a\0b"]),
        ("size(s)", 4),
        ("s == 'x'", False),
        ("s + r.s[0]", "x\ufffdyza\ufffdb"),
        ("[r][0].s", ["a\ufffdb"]),
        ("[s]", ["x\ufffdyz"]),
        ("first(t, s)", "x\ufffdyz"),
        ("s + '\\\\u0000'", "x\ufffdyz\\u0000"),
        ("'\\u0000' + t", "\0t"),
    ],
)
def test_a_nul_ends_no_text(text: str, value: Any) -> None:
    """What is handed on is handed on as it is; what is computed has U+FFFD for it, as the history does."""
    values = {"s": "x\0yz", "r": {"s": ["a\0b"], "k\0l": 1, "raw": b"a\0b"}, "t": "t"}
    expression = parse(text)
    there = {name: values[name] for name in expression.names if "first" not in text or name == "s"}
    assert expression.evaluate(there) == value


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        ("1 / a", {"a": 0}, "1 / a: divide by zero"),
        ("a.b", {"a": {}}, "a.b: Key not found in map"),
        ("a[3]", {"a": [1]}, "a[3]: Index error: index=3 size=1"),
        ("a + 1", {"a": "x"}, "a + 1: '+' cannot be applied to (string, int)"),
        ("a + 1.0", {"a": 1}, "a + 1.0: '+' cannot be applied to (int, float)"),
        ("a.b.c", {"a": {"b": None}}, "a.b.c: the value before a dot is null or not a record"),
        ("a", {}, "a: No value with name"),
        ("{1: 2}", {}, "a map in an expression must have string keys"),
        ("type(a)", {"a": 1}, "which no record can carry"),
        ("int(a)", {"a": "x"}, "int(a): "),
    ],
)
def test_failures_name_the_expression(text: str, values: dict[str, Any], message: str) -> None:
    """What goes wrong on real values says in which expression."""
    with pytest.raises(EvaluationError) as caught:
        parse(text).evaluate(values)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "offset"),
    [("a +", 3), ("a b", 2), ("first(a, b) + ", 14), ("first(a, b c)", 11), ("a\n  + )", 6), ("1 + first(a)", 4)],
)
def test_syntax_errors_have_their_offset(text: str, offset: int) -> None:
    """An offset counts the characters that the author wrote, over lines and through `first()`."""
    with pytest.raises(BadExpression) as caught:
        parse(text)
    assert caught.value.offset == offset


def test_conditions_join() -> None:
    """Both sides of `&` must hold."""
    both = Condition(frozenset("a")) & parse("first(b, c)").needs
    assert both.read() == frozenset("abc")
    assert both.met(frozenset("b"))
    assert not both.met(frozenset("a"))
    assert not both.met(frozenset("bc"))


def test_nulls_cost_no_reference() -> None:
    """However many nulls expressions give, Python's None lives on: it once ran out of references and ended the process."""
    expression, value = parse("a"), {"a": [None, {"b": None, "c": [None]}]}
    before = sys.getrefcount(None)
    for _ in range(1000):
        assert expression.evaluate(value) == value["a"]
    assert abs(sys.getrefcount(None) - before) < 500
