"""Socio-economic indicators by month, and the files that publish them. Nothing here uses the database."""

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from statistics import median
from typing import Self

from streams.errors import Blame, MillraceError

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
"""Month names as UCI's files write them."""

COLUMNS = {
    "emp_var_rate": "emp.var.rate",
    "cons_price_idx": "cons.price.idx",
    "cons_conf_idx": "cons.conf.idx",
    "euribor3m": "euribor3m",
    "nr_employed": "nr.employed",
}
"""Each indicator, and its column in UCI's `bank-additional` files."""

_POSITIVE = ("cons_price_idx", "nr_employed")
_MEDIAN = "euribor3m_median"
"""Column of a table by month with the median of the month's daily rates."""


class BadIndicators(MillraceError):
    """Raised when indicators cannot be read or are impossible; the message names the file, the line and the value."""

    blame = Blame.OPERATOR


@dataclass(frozen=True, order=True)
class Month:
    """A month of a year; printed and parsed as `2010-05`."""

    year: int
    month: int
    """1 to 12."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `2010-05`. Raises BadIndicators."""
        year, dash, month = text.partition("-")
        if not (dash and year.isdecimal() and len(year) == 4 and month.isdecimal() and len(month) == 2):
            raise BadIndicators(f"{text!r} is not a month; write it as 2010-05")
        if not 1 <= int(month) <= 12:
            raise BadIndicators(f"{text!r} is not a month: expected 01 to 12 after the year")
        return cls(int(year), int(month))

    def __str__(self) -> str:
        return f"{self.year:04}-{self.month:02}"


@dataclass(frozen=True)
class Indicators:
    """The indicators of one month in Portugal, as published by Banco de Portugal and Eurostat.

    Raises BadIndicators for values that are not finite, and for an index or a number of people that is not positive.
    """

    emp_var_rate: float
    """Change of employment against the quarter before, in percent."""
    cons_price_idx: float
    """Consumer price index."""
    cons_conf_idx: float
    """Consumer confidence index, mostly negative."""
    euribor3m: float
    """Three-month Euribor in percent a year, median of the month's days."""
    nr_employed: float
    """Thousands of people employed."""

    def __post_init__(self) -> None:
        for name, value in self.values().items():
            if not math.isfinite(value):
                raise BadIndicators(f"{name}: {value} is not a number")
            if name in _POSITIVE and value <= 0:
                raise BadIndicators(f"{name}: expected a positive number, got {value:g}")

    def values(self) -> dict[str, float]:
        """Return the values by name, in the order of COLUMNS."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def read(path: Path) -> dict[Month, Indicators]:
    """Read the indicators of each month of a file, in order of time.

    Two formats are recognised by their header: a table by month (`year`, `month` as a number, the indicators), and UCI's
    `bank-additional` files, with one row per call in order of time. Their years are deduced: a month that comes before the
    month of the previous row begins a new year, and the first year is 2008. Raises BadIndicators.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter=";")
            header = reader.fieldnames or ()
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadIndicators(f"{path}: cannot be read ({error})") from error
    columns = dict(COLUMNS)
    if _MEDIAN in header:
        columns["euribor3m"] = _MEDIAN
    missing = {"month", *columns.values()} - set(header)
    if missing:
        raise BadIndicators(
            f"{path}: has no column {', '.join(sorted(missing))}; a table by month or UCI's bank-additional-full.csv is "
            "expected, with `;` between the columns"
        )
    months = _numbered(rows, path) if "year" in header else _deduced(rows, path)
    return _medians(rows, months, columns, path)


def shipped() -> dict[Month, Indicators]:
    """Read the 26 months that come with the project: those of UCI's calls, May 2008 to November 2010.

    Facts taken from `bank-additional-full.csv` of UCI's Bank Marketing data (Moro, Cortez and Rita, 2014,
    doi:10.1016/j.dss.2014.03.001), which UCI publishes under CC BY 4.0: only what all rows of a month share, no customer's row.
    """
    with resources.as_file(resources.files("agents.loan").joinpath("indicators.csv")) as file:
        return read(file)


def years(months: Iterable[int], first: int = 2008) -> list[int]:
    """Deduce the year of each month (1 to 12) of a series in order of time with gaps shorter than a year."""
    deduced: list[int] = []
    previous = 0
    year = first
    for month in months:
        year += month < previous
        previous = month
        deduced.append(year)
    return deduced


def _numbered(rows: Sequence[Mapping[str, str]], path: Path) -> list[Month]:
    months = []
    for number, row in enumerate(rows, 2):
        try:
            months.append(Month.parse(f"{int(row['year']):04}-{int(row['month']):02}"))
        except (ValueError, TypeError, BadIndicators):
            raise BadIndicators(f"{path}:{number}: {row['year']}-{row['month']} is not a month") from None
    return months


def _deduced(rows: Sequence[Mapping[str, str]], path: Path) -> list[Month]:
    for number, row in enumerate(rows, 2):
        if row["month"] not in MONTHS:
            raise BadIndicators(
                f"{path}:{number}: {row['month']!r} is not a month; expected one of {', '.join(MONTHS)}"
            )
    numbers = [MONTHS.index(row["month"]) + 1 for row in rows]
    return [Month(year, month) for year, month in zip(years(numbers), numbers, strict=True)]


def _medians(
    rows: Sequence[Mapping[str, str]], months: Sequence[Month], columns: Mapping[str, str], path: Path
) -> dict[Month, Indicators]:
    values: dict[Month, dict[str, list[float]]] = {}
    for number, (row, month) in enumerate(zip(rows, months, strict=True), 2):
        values_of_month = values.setdefault(month, {name: [] for name in columns})
        for name, column in columns.items():
            try:
                values_of_month[name].append(float(row[column]))
            except (ValueError, TypeError):
                raise BadIndicators(f"{path}:{number}: {column}: {row[column]!r} is not a number") from None
    try:
        return {
            month: Indicators(**{name: median(series) for name, series in values_of_month.items()})
            for month, values_of_month in sorted(values.items())
        }
    except BadIndicators as error:
        raise BadIndicators(f"{path}: {error}") from None
