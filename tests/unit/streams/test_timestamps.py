"""Moments as text."""

import math

import pytest

from streams.timestamps import dated, moment


def test_a_moment_is_said_in_utc() -> None:
    """With milliseconds."""
    assert moment(0.5) == "1970-01-01T00:00:00.500Z"
    assert moment(None) is None


@pytest.mark.parametrize("at", [1e12, 1e308, math.inf])
def test_a_time_beyond_the_calendar_is_its_last(at: float) -> None:
    """A wait of many years may end after the year 9999; telling it is no error."""
    assert dated(at).year == 9999
    assert moment(at) == "9999-01-01T00:00:00.000Z"
