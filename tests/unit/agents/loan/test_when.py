"""Which month a request asks for."""

import pytest

from agents.loan.indicators import Month
from agents.loan.when import When, asked
from streams.service.errors import InvalidInput

MAY = Month(2010, 5)


@pytest.mark.parametrize(
    ("month", "year", "at", "day", "wanted"),
    [
        (None, None, None, None, When()),
        ("may", None, None, None, When(number=5)),
        ("may", None, None, 17, When(number=5, day=17)),
        ("may", 2010, None, None, When(MAY)),
        ("may", 2010, None, 17, When(MAY, day=17)),
        (None, None, "2010-05", None, When(MAY)),
        (None, None, " 2010-05 ", 3, When(MAY, day=3)),
        (None, None, "2010-05-17", None, When(MAY, day=17)),
        (None, None, "2010-05-17", 17, When(MAY, day=17)),
        (None, None, "2010-05-17T23:59:59+02:00", None, When(MAY, day=17)),
        (None, None, None, 17, When(day=17)),
    ],
)
def test_inputs_name_a_month_a_moment_or_the_newest(
    month: str | None, year: int | None, at: str | None, day: int | None, wanted: When
) -> None:
    """A month and its year, a moment, the name of a month for its newest, or nothing for the newest of all."""
    assert asked(month, year, at, day) == wanted


@pytest.mark.parametrize(
    ("month", "year", "at", "day", "where"),
    [
        (None, 2010, None, None, "year"),
        ("may", None, "2010-05", None, "at"),
        (None, 2010, "2010-05", None, "at"),
        (None, None, "May 2010", None, "at"),
        (None, None, "2010-13", None, "at"),
        (None, None, "2010-02-30", None, "at"),
        (None, None, "2010-05-17", 18, "day"),
        ("feb", 2009, None, 29, "day"),
        (None, None, "2010-04", 31, "day"),
    ],
)
def test_an_impossible_month_is_refused(
    month: str | None, year: int | None, at: str | None, day: int | None, where: str
) -> None:
    """Half a month, two months, and days that a month does not have are refused, with the input that is wrong."""
    with pytest.raises(InvalidInput) as caught:
        asked(month, year, at, day)
    assert caught.value.where == where
