"""Indicators from the files that publish them, with years that are deduced where a file has none."""

from pathlib import Path

import pytest

from agents.loan import indicators_table
from agents.loan.indicators import BadIndicators, Indicators, Month, read, shipped, years
from streams.runtime.history.advisory_locks import Lock
from streams.settings import Settings

TABLE = """year;month;calls;emp.var.rate;cons.price.idx;cons.conf.idx;nr.employed;euribor3m_min;euribor3m_median;euribor3m_max
2008;12;13;-0.2;92.713;-30.0;5023.5;2.9;3.0;3.3
2009;3;274;-1.8;92.843;-50.0;5099.1;1.5;1.6;1.8
"""
CALLS = """"age";"month";"duration";"emp.var.rate";"cons.price.idx";"cons.conf.idx";"euribor3m";"nr.employed";"y"
56;"dec";261;-0.2;92.713;-30;2.9;5023.5;"no"
57;"dec";149;-0.2;92.713;-30;3.0;5023.5;"no"
37;"dec";226;-0.2;92.713;-30;3.3;5023.5;"yes"
40;"mar";151;-1.8;92.843;-50;1.6;5099.1;"no"
"""
WANTED = {
    Month(2008, 12): Indicators(-0.2, 92.713, -30.0, 3.0, 5023.5),
    Month(2009, 3): Indicators(-1.8, 92.843, -50.0, 1.6, 5099.1),
}


def written(folder: Path, text: str) -> Path:
    """A file with this text."""
    file = folder / "some.csv"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("text", [TABLE, CALLS, CALLS.replace("\n", "\r\n"), "\ufeff" + TABLE])
def test_both_forms_give_the_same_months(tmp_path: Path, text: str) -> None:
    """A table by month and UCI's file of calls say the same of a month: Euribor is the middle of its days."""
    assert read(written(tmp_path, text)) == WANTED


def test_years_follow_from_the_order() -> None:
    """A month that comes before the one above it begins a year; months without calls may lie between."""
    assert years([5, 6, 6, 12, 3, 4, 11, 1]) == [2008, 2008, 2008, 2008, 2009, 2009, 2009, 2010]
    assert years([1, 1], first=1999) == [1999, 1999]
    assert years([]) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TABLE.replace("nr.employed", "employed"), "has no column nr.employed"),
        (TABLE.replace(";", ","), "has no column"),
        (TABLE.replace("2009;3", "2009;13"), "some.csv:3: 2009-13 is not a month"),
        (TABLE.replace("92.843", "high"), "some.csv:3: cons.price.idx: 'high' is not a number"),
        (TABLE.replace("92.843", "nan"), "cons_price_idx: nan is not a number"),
        (TABLE.replace("92.843", "-1"), "expected a positive number"),
        (CALLS.replace('"mar"', '"märz"'), "some.csv:5: 'märz' is not a month"),
    ],
)
def test_an_unreadable_table_is_reported_with_the_place(tmp_path: Path, text: str, said: str) -> None:
    """The error names the file, where it can the line, and what is wrong."""
    with pytest.raises(BadIndicators) as caught:
        read(written(tmp_path, text))
    assert said in str(caught.value)
    assert "some.csv" in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file and one that is no text are told as such."""
    with pytest.raises(BadIndicators, match="cannot be read"):
        read(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadIndicators, match="cannot be read"):
        read(tmp_path / "binary.csv")


@pytest.mark.parametrize("text", ["2010", "2010-5", "2010-13", "may 2010", "2010-00", ""])
def test_a_month_has_one_form(text: str) -> None:
    """What is not written as 2010-05 is refused; what is, comes back as it was."""
    assert str(Month.parse("2010-05")) == "2010-05"
    with pytest.raises(BadIndicators):
        Month.parse(text)


def test_the_shipped_months_are_those_of_the_file() -> None:
    """26 months in order of time; the loan model was trained with them."""
    months = shipped()
    assert (len(months), str(min(months)), str(max(months))) == (26, "2008-05", "2010-11")
    assert list(months) == sorted(months)
    assert months[Month(2008, 5)] == Indicators(1.1, 93.994, -36.4, 4.857, 5191)


def test_the_lock_of_the_table_is_its_own() -> None:
    """Sharing a lock of the core would make each wait for the other's work."""
    assert indicators_table.LOCK not in set(Lock)


@pytest.mark.data
def test_the_shipped_months_come_from_ucis_file() -> None:
    """Made of the file itself, they are the same to the last digit."""
    file = Settings.read().data / "bank-marketing" / "bank-additional.csv"
    if not file.exists():
        pytest.skip(
            "needs the public data: run `millrace data fetch bank-marketing` and set MILLRACE_DATA to its directory"
        )
    assert read(file) == shipped()
