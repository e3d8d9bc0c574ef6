"""Values as JSON text."""

import math
from typing import Any

import pytest
from hypothesis import given

from schemas import value_text
from tests.unit.schemas.strategies import VALUES


def alike(one: Any, other: Any) -> bool:
    """Equal, and of the same types all through."""
    if isinstance(one, dict):
        return (
            isinstance(other, dict) and one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
        )
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(alike, one, other))
    return type(one) is type(other) and (one == other or one != one)


@given(VALUES)
def test_round_trip(value: Any) -> None:
    """What JSON can say comes back equal and of the same type: 1.0 stays a float."""
    assert alike(value_text.loads(value_text.dumps(value)), value)


@pytest.mark.parametrize("value", [math.inf, -math.inf, 2**64, -(2**70), "\ud800", {"a": [math.inf, None]}])
def test_round_trip_beyond_json(value: Any) -> None:
    """What an expression can give and JSON cannot say comes back too, so that a division by zero is no crash."""
    assert alike(value_text.loads(value_text.dumps(value)), value)


def test_nan() -> None:
    """NaN stays NaN and does not become null."""
    assert math.isnan(value_text.loads(value_text.dumps({"x": math.nan}))["x"])


@pytest.mark.parametrize("other", [1, None, math.inf, 2**70])
def test_bytes_are_written_alike(other: Any) -> None:
    """As base64, whatever stands beside them."""
    assert value_text.loads(value_text.dumps([b"abc", other])) == ["YWJj", other]


def test_not_a_value() -> None:
    """An object that JSON knows nothing of is refused."""
    with pytest.raises(TypeError):
        value_text.dumps(object())
