"""The month that a request asks for: a month and its year, a date, or the newest in the table."""

import re
from dataclasses import dataclass
from datetime import date

from agents.loan.indicators import MONTHS, Month
from streams.service.errors import InvalidInput

_AT = re.compile(r"(\d{4})-(\d{2})(?:-(\d{2})(?:[T ].*)?)?")


@dataclass(frozen=True)
class When:
    """A month; or only its number, for the newest such month; or neither, for the newest of all."""

    month: Month | None = None
    number: int | None = None
    day: int | None = None
    """Day of the month; None if the request does not name it."""

    def __str__(self) -> str:
        if self.month is not None:
            return str(self.month)
        return f"any {MONTHS[self.number - 1]}" if self.number is not None else "any month"


def asked(month: str | None, year: int | None, at: str | None, day: int | None) -> When:
    """Combine these inputs. Raises InvalidInput if they contradict each other."""
    if at is not None:
        if month is not None or year is not None:
            raise InvalidInput("says a month that `month` and `year` say too", "send one or the other", "at")
        return _moment(at, day)
    if month is None and year is not None:
        raise InvalidInput("a year alone is not a month", "send `month` with it", "year")
    number = None if month is None else MONTHS.index(month) + 1
    if year is None:
        return When(number=number, day=day)
    assert number is not None
    return _dated(Month(year, number), day, "day")


def _moment(at: str, day: int | None) -> When:
    match = _AT.fullmatch(at.strip())
    if match is None or not 1 <= int(match[2]) <= 12:
        raise InvalidInput(f"{at!r} is neither a month nor a date", "write it as 2010-05 or 2010-05-17", "at")
    if match[3] is None:
        return _dated(Month(int(match[1]), int(match[2])), day, "day")
    if day is not None and day != int(match[3]):
        raise InvalidInput(f"is not the day of {at}", "send one or the other", "day")
    return _dated(Month(int(match[1]), int(match[2])), int(match[3]), "at")


def _dated(month: Month, day: int | None, where: str) -> When:
    if day is not None:
        try:
            date(month.year, month.month, day)
        except ValueError:
            raise InvalidInput(f"{month} has no day {day}", where=where) from None
    return When(month=month, day=day)
