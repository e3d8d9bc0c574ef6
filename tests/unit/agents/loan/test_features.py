"""What the model sees of a customer and a month."""

import math

import pytest

from agents.loan.features import INPUTS, JOBS, NAMES, Customer, features
from agents.loan.indicators import COLUMNS, Indicators, Month
from agents.services.loan_appetence import Answer, Contact, Education, Job, Marital, Outcome, Request, Weekday
from streams.service.contract import fields_of

MAY = Month(2010, 5)
CHEAP = Indicators(-1.8, 93.876, -40.0, 0.668, 5008.7)


def seen(customer: Customer, month: Month = MAY) -> dict[str, float]:
    """The features by name, without those that are not known."""
    values = features(customer, month, CHEAP)
    assert len(values) == len(NAMES)
    return {name: value for name, value in zip(NAMES, values, strict=True) if not math.isnan(value)}


def test_nothing_known_leaves_the_economy() -> None:
    """Of an empty request the model sees the month's indicators only; words that say unknown say no more."""
    assert seen(Customer()) == CHEAP.values()
    words = Customer(
        job="unknown", marital="unknown", education="unknown", default="unknown", contact="unknown", loan="unknown"
    )
    assert seen(words) == CHEAP.values()


@pytest.mark.parametrize("pdays", [-1, 999])
def test_never_called_is_said_in_both_ways(pdays: int) -> None:
    """Both files' words for no earlier campaign give the same."""
    for outcome in ("nonexistent", "unknown"):
        values = seen(Customer(pdays=pdays, previous=0, poutcome=outcome))
        assert "pdays" not in values
        assert [values[f"poutcome={word}"] for word in ("failure", "success", "other")] == [0, 0, 0]


def test_the_weekday_follows_from_the_date() -> None:
    """A day of the month gives its day of the week; one that is said wins, and a day that the month lacks gives none."""
    assert seen(Customer(day=17))["day_of_week"] == 0  # 17 May 2010 was a Monday
    assert seen(Customer(day=17, day_of_week="fri"))["day_of_week"] == 4
    assert "day_of_week" not in seen(Customer(day=31), Month(2009, 2))


def test_every_word_of_the_contract_is_known() -> None:
    """Each word that a request may have, but `unknown`, tells the model something, and no two the same."""
    for name, words in (
        ("job", Job), ("marital", Marital), ("education", Education), ("default", Answer), ("housing", Answer),
        ("loan", Answer), ("contact", Contact), ("day_of_week", Weekday),
    ):  # fmt: skip
        known = [seen(Customer(**{name: word.value})) for word in words if word.value != "unknown"]  # type: ignore[arg-type]
        assert all(len(values) > len(COLUMNS) for values in known), name
        distinct = {tuple(values.items()) for values in known}
        assert len(distinct) == len(known) - 2 * (
            name == "education"
        )  # both files' words for the first and the last step
    assert len(JOBS) == len(Job) - 1
    assert {outcome.value for outcome in Outcome} == {"success", "failure", "other", "nonexistent", "unknown"}


def test_inputs_and_features_match() -> None:
    """Every input of a customer has its features, in the order of the model, and stands in the contract; `duration` does not."""
    of_inputs = [name for names in INPUTS.values() for name in names]
    assert [*of_inputs, *COLUMNS] == list(NAMES)
    contract = {field.name for field in fields_of(Request)}
    assert set(INPUTS) <= contract
    assert contract - set(INPUTS) == {"month", "year", "at"}
    assert "duration" not in NAMES
