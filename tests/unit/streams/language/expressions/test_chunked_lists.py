"""Long lists are gone through a piece at a time, and nothing else of an expression changes."""

from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import EvaluationError
from streams.language.expressions import chunked_lists, expression
from streams.language.expressions.expression import parse
from streams.language.expressions.value_limits import Room


@pytest.mark.parametrize(
    ("text", "path", "calls"),
    [
        ("a.map(x, x + 1)", ("a",), ["_items.map(x, x + 1)"]),
        (
            "a.b.filter(x, x.c == ')').map(y, [y, (n)])",
            ("a", "b"),
            ["_items.filter(x, x.c == ')')", "_items.map(y, [y, (n)])"],
        ),
    ],
)
def test_a_chain_is_cut_at_its_calls(text: str, path: tuple[str, ...], calls: list[str]) -> None:
    """The list that it begins with, and each call that goes through what came before."""
    found = chunked_lists.chain(text)
    assert found is not None
    assert (found.path, list(found.calls)) == (path, calls)


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a.b",
        "size(a.map(x, x))",
        "a.map(x, x)[0]",
        "a.map(x, x) + b",
        "[1].map(x, x)",
        "a[0].map(x, x)",
        "f(a).map(x, x)",
    ],
)
def test_other_expressions_are_left_to_cel(text: str) -> None:
    """Anything else is CEL's alone."""
    assert chunked_lists.chain(text) is None


ROWS = st.lists(st.fixed_dictionaries({"n": st.integers(-5, 5), "s": st.sampled_from(["a", "b)"])}), max_size=20)


@given(rows=ROWS, times=st.integers(1, 4))
@pytest.mark.parametrize(
    "text",
    [
        "rows.map(r, r.n + size(rows))",
        "rows.filter(r, r.n > k)",
        "rows.filter(r, r.s != 'b)').map(r, {'n': r.n, 'all': rows.exists(o, o.n > 4)})",
        "rows.map(r, r.n > 0, [r.s, r.s])",
        "rows.map(r, r.n).filter(n, n > 0).map(n, n * n)",
    ],
)
def test_pieces_give_what_the_whole_gives(text: str, rows: list[dict[str, Any]], times: int) -> None:
    """The same value, however many pieces; the other names of the expression see the whole list still."""
    values = {"rows": rows * times, "k": 1}  # short enough for what goes through the list once for each of its items
    with patch.object(chunked_lists, "PIECE", 7):
        assert parse(text).evaluate(values) == expression._evaluate(parse(text).text, values, Room())


def test_errors_are_the_same_in_pieces() -> None:
    """An error of one item is the expression's, and a list that is too long says what to do."""
    with pytest.raises(EvaluationError, match=r"^a\.map\(x, 1 / x\): .*divide by zero"):
        parse("a.map(x, 1 / x)").evaluate({"a": [1] * 600 + [0]})
    with pytest.raises(EvaluationError, match=r"a\.map\(x, x\): .* use each"):
        parse("a.map(x, x)").evaluate({"a": [1] * 10_000})
    assert len(parse("a.map(x, x)").evaluate({"a": [1] * expression.MAX_STEPS})) == expression.MAX_STEPS
