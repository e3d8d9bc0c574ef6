"""Reading JSON that strangers send."""

import asyncio

import pytest

from gateway.api.limits import Limits
from gateway.api.problems import Kind, Problem
from gateway.http.body import MOST, JsonBudget, canonical, parse, parse_now


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"{", "line 1, column 2"),
        (b"", "not JSON"),
        (b"\xff\xfe", "UTF-8"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b'{"a": -Infinity}', "Infinity is not a JSON number"),
        (b'{"a": 1, "a": 2}', "'a' appears twice"),
        (b'["\\u0000"]', "NUL"),
        (b'["\\ud800"]', "surrogate"),
        (b'{"\\ud800": 1}', "surrogate"),
        (b"[" * 20 + b"]" * 20, "more than 8 levels"),
        (b"[" * 100_000, "more than 8 levels"),
        (b"1" * 5000, "not JSON"),
    ],
)
def test_bad_json_is_a_400_that_says_why(text: bytes, says: str) -> None:
    """Every kind of bad JSON is the caller's fault, said in words."""
    with pytest.raises(Problem, match=says) as caught:
        parse_now(text, 8)
    assert caught.value.kind is Kind.BAD_REQUEST


def test_json_is_taken_up_to_the_depth() -> None:
    """A value of exactly the allowed depth is taken, with any text that is text."""
    assert parse_now(b'\xef\xbb\xbf{"a": [[["\xc3\xa9 \\ud83d\\ude00"]]]}', 8) == {"a": [[["é 😀"]]]}
    assert parse_now(b"[" * 8 + b"]" * 8, 8) is not None


def test_a_name_that_stands_twice_among_very_many_is_found() -> None:
    """Looking for it takes no longer than reading did: this kept a gateway from everything else for minutes."""
    many = ",".join(f'"{number}": 0' for number in range(200_000))
    with pytest.raises(Problem, match="'199999' appears twice"):
        parse_now(f'{{{many}, "199999": 1}}', 8)


def test_canonical_json_is_equal_for_equal_values() -> None:
    """The order of members does not matter."""
    assert canonical({"a": 1, "b": [1.5, None]}) == canonical({"b": [1.5, None], "a": 1})


@pytest.mark.parametrize("unit", [b"[],", b"{},", b"1,", b"[[[[]]]],"])
def test_json_of_countless_values_is_refused_before_one_is_built(unit: bytes) -> None:
    """15 MB of brackets became 430 MB of lists, and nothing else got its turn for seconds."""
    text = b"[" + unit * (15_000_000 // len(unit)) + b"1]"
    with pytest.raises(Problem, match=f"more than {MOST:,} lists") as caught:
        asyncio.run(parse(text, Limits()))
    assert caught.value.kind is Kind.TOO_LARGE
    with pytest.raises(Problem, match="more than"):
        asyncio.run(parse(text.decode(), Limits()))


def test_json_of_very_many_values_is_taken() -> None:
    """A million values are not too many."""
    assert len(asyncio.run(parse(b"[" + b"1," * (MOST - 2) + b"1]", Limits()))) == MOST - 1


def test_the_texts_of_one_request_count_together() -> None:
    """Cut into parts, as much would come in as in one piece."""
    tally = JsonBudget()
    asyncio.run(parse(b"[" + b"1," * (MOST - 10) + b"1]", Limits(), tally=tally))
    with pytest.raises(Problem, match="more than"):
        asyncio.run(parse("[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]", Limits(), "areas", tally))
