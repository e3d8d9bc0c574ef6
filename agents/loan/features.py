"""The features of a customer and a month: numbers in a fixed order, NaN for unknown values.

Both the service and the training compute them here.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from agents.loan.indicators import COLUMNS, Indicators, Month

JOBS = (
    "admin.",
    "blue-collar",
    "entrepreneur",
    "housemaid",
    "management",
    "retired",
    "self-employed",
    "services",
    "student",
    "technician",
    "unemployed",
)
MARITAL = ("married", "single", "divorced")
EDUCATION = {
    "illiterate": 0.0,
    "basic.4y": 1.0,
    "basic.6y": 1.5,
    "primary": 1.5,
    "basic.9y": 2.0,
    "high.school": 3.0,
    "secondary": 3.2,
    "professional.course": 3.5,
    "university.degree": 4.0,
    "tertiary": 4.0,
}
"""The levels of both files on one scale: `primary` and `secondary` of `bank-full` lie between those of `bank-additional`."""
ANSWERS = {"no": 0.0, "yes": 1.0}
CONTACTS = {"telephone": 0.0, "cellular": 1.0}
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OUTCOMES = ("failure", "success", "other")
NO_OUTCOME = ("nonexistent", "unknown")
"""Values of both files for no earlier campaign, or an unknown one."""
NEVER = (-1, 999)
"""Values of `pdays` for a customer who was not contacted before."""

_NAN = math.nan


@dataclass(frozen=True)
class Customer:
    """A customer and a call, in the values of the UCI files; None for unknown. `duration` is left out."""

    age: int | None = None
    job: str | None = None
    marital: str | None = None
    education: str | None = None
    default: str | None = None
    balance: float | None = None
    housing: str | None = None
    loan: str | None = None
    contact: str | None = None
    day: int | None = None
    day_of_week: str | None = None
    campaign: int | None = None
    pdays: int | None = None
    previous: int | None = None
    poutcome: str | None = None


INPUTS: Mapping[str, tuple[str, ...]] = {
    "age": ("age",),
    "job": tuple(f"job={word}" for word in JOBS),
    "marital": tuple(f"marital={word}" for word in MARITAL),
    "education": ("education",),
    "default": ("default",),
    "balance": ("balance",),
    "housing": ("housing",),
    "loan": ("loan",),
    "contact": ("contact",),
    "day": ("day",),
    "day_of_week": ("day_of_week",),
    "campaign": ("campaign",),
    "pdays": ("pdays",),
    "previous": ("previous",),
    "poutcome": tuple(f"poutcome={outcome}" for outcome in OUTCOMES),
}
"""The features derived from each input."""

NAMES = (*(name for names in INPUTS.values() for name in names), *COLUMNS)
"""Names of all features, in their order."""


def features(customer: Customer, month: Month, indicators: Indicators | None) -> list[float]:
    """Compute the features of a customer called in a month. Months without indicators, only in training, have NaN."""
    economy = [_NAN] * len(COLUMNS) if indicators is None else list(indicators.values().values())
    return [
        _number(customer.age),
        *_one_of(customer.job, JOBS),
        *_one_of(customer.marital, MARITAL),
        EDUCATION.get(customer.education or "", _NAN),
        ANSWERS.get(customer.default or "", _NAN),
        _number(customer.balance),
        ANSWERS.get(customer.housing or "", _NAN),
        ANSWERS.get(customer.loan or "", _NAN),
        CONTACTS.get(customer.contact or "", _NAN),
        _number(customer.day),
        _weekday(customer, month),
        _number(customer.campaign),
        _NAN if customer.pdays in NEVER else _number(customer.pdays),
        _number(customer.previous),
        *_outcome(customer.poutcome),
        *economy,
    ]


def _number(value: float | None) -> float:
    return _NAN if value is None else float(value)


def _one_of(word: str | None, words: tuple[str, ...]) -> list[float]:
    return [float(word == choice) for choice in words] if word in words else [_NAN] * len(words)


def _outcome(word: str | None) -> list[float]:
    return [0.0] * len(OUTCOMES) if word in NO_OUTCOME else _one_of(word, OUTCOMES)


def _weekday(customer: Customer, month: Month) -> float:
    """Return the weekday, Monday 0; derived from the date if only that is known."""
    if customer.day_of_week in DAYS:
        return float(DAYS.index(customer.day_of_week))
    if customer.day is None:
        return _NAN
    try:
        return float(date(month.year, month.month, customer.day).weekday())
    except ValueError:
        return _NAN
