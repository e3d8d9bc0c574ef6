"""Socio-economic indicators of months, and reading them from the files that publish them. No database here."""

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from statistics import median
from typing import Self

from streams.errors import MillraceError

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
"""As the files write them."""

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
"""What a table by month calls the middle of a month's daily rates."""


class BadIndicators(MillraceError):
    """Indicators cannot be read or cannot be true; the message names the file, the line and the value."""


@dataclass(frozen=True, order=True)
class Month:
    """A month of a year; printed and read as `2010-05`."""

    year: int
    month: int
    """1 to 12."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """The month of `2010-05`. Raises BadIndicators."""
        year, dash, month = text.partition("-")
        if not (dash and year.isdecimal() and len(year) == 4 and month.isdecimal() and len(month) == 2):
            raise BadIndicators(f"{text!r} is no month; write it as 2010-05")
        if not 1 <= int(month) <= 12:
            raise BadIndicators(f"{text!r} is no month: there are 12 of them")
        return cls(int(year), int(month))

    def __str__(self) -> str:
        return f"{self.year:04}-{self.month:02}"


@dataclass(frozen=True)
class Indicators:
    """The indicators of one month in Portugal, as Banco de Portugal and Eurostat publish them."""

    emp_var_rate: float
    """Change of employment against the quarter before, in percent."""
    cons_price_idx: float
    """Consumer price index."""
    cons_conf_idx: float
    """Consumer confidence index, mostly negative."""
    euribor3m: float
    """Three-month Euribor in percent a year, the middle of the month's days."""
    nr_employed: float
    """Thousands of people employed."""

    def __post_init__(self) -> None:
        for name, value in self.values().items():
            if not math.isfinite(value):
                raise BadIndicators(f"{name}: {value} is no number")
            if name in _POSITIVE and value <= 0:
                raise BadIndicators(f"{name}: expected a positive number, got {value:g}")

    def values(self) -> dict[str, float]:
        """By name, in the order of COLUMNS."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


def read(path: Path) -> dict[Month, Indicators]:
    """The indicators of each month of a file, in order of time.

    Two forms are known by their header: a table by month (`year`, `month` as a number, the indicators), and UCI's
    `bank-additional` files, one row a call in order of time, whose years are deduced: a month that comes before the one
    of the row above begins a new year, the first of them 2008. Raises BadIndicators.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, delimiter=";")
            header = rows.fieldnames or ()
            found = list(rows)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadIndicators(f"{path}: cannot be read ({error})") from error
    named = dict(COLUMNS)
    if _MEDIAN in header:
        named["euribor3m"] = _MEDIAN
    missing = {"month", *named.values()} - set(header)
    if missing:
        raise BadIndicators(
            f"{path}: has no column {', '.join(sorted(missing))}; a table by month or UCI's bank-additional-full.csv is "
            "expected, with `;` between the columns"
        )
    months = _numbered(found, path) if "year" in header else _deduced(found, path)
    return _medians(found, months, named, path)


def shipped() -> dict[Month, Indicators]:
    """The 26 months of UCI's calls, May 2008 to November 2010, which come with the project.

    Facts taken from `bank-additional-full.csv` of UCI's Bank Marketing data (Moro, Cortez and Rita, 2014,
    doi:10.1016/j.dss.2014.03.001), which UCI gives under CC BY 4.0: no row of a customer, only what is the same for all of a month.
    """
    with resources.as_file(resources.files("streams.datasets").joinpath("indicators.csv")) as file:
        return read(file)


def years(months: Iterable[int], first: int = 2008) -> list[int]:
    """The year of each of many months (1 to 12) in order of time, of which none is missing for as long as a year."""
    made: list[int] = []
    before = 0
    year = first
    for month in months:
        year += month < before
        before = month
        made.append(year)
    return made


def _numbered(rows: Sequence[Mapping[str, str]], path: Path) -> list[Month]:
    made = []
    for number, row in enumerate(rows, 2):
        try:
            made.append(Month.parse(f"{int(row['year']):04}-{int(row['month']):02}"))
        except (ValueError, TypeError, BadIndicators):
            raise BadIndicators(f"{path}:{number}: {row['year']}-{row['month']} is no month") from None
    return made


def _deduced(rows: Sequence[Mapping[str, str]], path: Path) -> list[Month]:
    for number, row in enumerate(rows, 2):
        if row["month"] not in MONTHS:
            raise BadIndicators(f"{path}:{number}: {row['month']!r} is no month; there are {', '.join(MONTHS)}")
    numbers = [MONTHS.index(row["month"]) + 1 for row in rows]
    return [Month(year, month) for year, month in zip(years(numbers), numbers, strict=True)]


def _medians(
    rows: Sequence[Mapping[str, str]], months: Sequence[Month], named: Mapping[str, str], path: Path
) -> dict[Month, Indicators]:
    values: dict[Month, dict[str, list[float]]] = {}
    for number, (row, month) in enumerate(zip(rows, months, strict=True), 2):
        mine = values.setdefault(month, {name: [] for name in named})
        for name, column in named.items():
            try:
                mine[name].append(float(row[column]))
            except (ValueError, TypeError):
                raise BadIndicators(f"{path}:{number}: {column}: {row[column]!r} is no number") from None
    try:
        return {
            month: Indicators(**{name: median(all_of_them) for name, all_of_them in mine.items()})
            for month, mine in sorted(values.items())
        }
    except BadIndicators as error:
        raise BadIndicators(f"{path}: {error}") from None
