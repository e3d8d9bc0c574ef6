"""The two UCI files as one table of calls, and the honest split: no call of one side has its twin on the other.

Both files describe the same calls: within a month, runs of rows agree in duration, number of contacts and outcome. What they
say of the customers does not agree better than by chance, so rows cannot be joined by person; a union of the files holds
most calls twice, with the same outcome. Calls of the same month, duration and number of contacts are kept together.
"""

import csv
import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agents.loan.features import INPUTS, NAMES, Customer, features
from agents.loan.indicators import MONTHS, Month, read, years
from streams.datasets.catalogue import entry
from streams.datasets.download import fetch

ADDITIONAL = "bank-marketing/bank-additional.csv"
FULL = "bank-marketing/bank-full.csv"
"""Names in the data catalogue."""

TEST = 0.2
"""The share of the groups that nothing is learned from or chosen by."""

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Calls:
    """Calls, one an entry of each array."""

    features: NDArray[np.float32]
    """In the order of agents.loan.features.NAMES."""
    bought: NDArray[np.int64]
    """1 for a yes."""
    full: Mask
    """Whether it comes of `bank-full` (with balance and day, without day of week), else of `bank-additional`."""
    month: NDArray[np.int64]
    """100 * year + month."""
    share: Floats
    """0 to 1, the same for calls that may be twins; a share of the calls is those below it."""
    marital: NDArray[np.str_]
    age: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.bought)

    def at(self, chosen: Mask) -> "Calls":
        """Those where the mask is true."""
        return Calls(
            self.features[chosen],
            self.bought[chosen],
            self.full[chosen],
            self.month[chosen],
            self.share[chosen],
            self.marital[chosen],
            self.age[chosen],
        )

    @property
    def groups(self) -> NDArray[np.int64]:
        """A number for each call, the same for those that may be twins."""
        return np.unique(self.share, return_inverse=True)[1].astype(np.int64)


def load(folder: Path) -> Calls:
    """Both files of a data directory, fetched when they are not there. Raises DataError."""
    paths = {name: fetch(entry(name), folder).path for name in (FULL, ADDITIONAL)}
    # Of the months, as the service has them: by the day, Euribor would tell more than is known when it is asked.
    economy = read(paths[ADDITIONAL])
    rows: list[list[float]] = []
    calls: list[tuple[int, bool, int, float, str, int]] = []
    for name, path in paths.items():
        for row, month in _dated(path):
            rows.append(features(customer(row), month, economy.get(month)))
            key = f"{month.year}-{month.month}-{row['duration']}-{row['campaign']}"
            yes, number = int(row["y"] == "yes"), 100 * month.year + month.month
            calls.append((yes, name == FULL, number, share_of(key), row["marital"], int(row["age"])))
    bought, full, month_, share, marital, age = (list(call) for call in zip(*calls, strict=True))
    return Calls(
        np.asarray(rows, np.float32),
        np.asarray(bought, np.int64),
        np.asarray(full, np.bool_),
        np.asarray(month_, np.int64),
        np.asarray(share, np.float64),
        np.asarray(marital, np.str_),
        np.asarray(age, np.int64),
    )


def share_of(key: str) -> float:
    """Hash a key to a number from 0 to 1: the same on every machine, and uniformly distributed."""
    return int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) / 16**8


def customer(row: Mapping[str, str]) -> Customer:
    """Convert a row of either file to a customer, without `duration` and the outcome."""
    return Customer(
        age=int(row["age"]),
        job=row["job"],
        marital=row["marital"],
        education=row["education"],
        default=row["default"],
        balance=float(row["balance"]) if "balance" in row else None,
        housing=row["housing"],
        loan=row["loan"],
        contact=row["contact"],
        day=int(row["day"]) if "day" in row else None,
        day_of_week=row.get("day_of_week"),
        campaign=int(row["campaign"]),
        pdays=int(row["pdays"]),
        previous=int(row["previous"]),
        poutcome=row["poutcome"],
    )


def masked(rows: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """Hide a random part of each customer's inputs, between none and all, every input as likely as the others.

    The month's indicators stay: the service has them always.
    """
    partly = rows.copy()
    known = random.uniform(0, 1, len(rows))
    for names in INPUTS.values():
        hidden = random.uniform(0, 1, len(rows)) > known
        for name in names:
            partly[hidden, NAMES.index(name)] = math.nan
    return partly


def only(rows: NDArray[np.float32], inputs: frozenset[str]) -> NDArray[np.float32]:
    """Hide all inputs of the customers but these."""
    reduced = rows.copy()
    for input_name, names in INPUTS.items():
        if input_name not in inputs:
            reduced[:, [NAMES.index(name) for name in names]] = math.nan
    return reduced


def _dated(path: Path) -> Iterator[tuple[dict[str, str], Month]]:
    """Each row with its month, the year deduced from the order of the rows."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    numbers = [MONTHS.index(row["month"]) + 1 for row in rows]
    for row, year, month in zip(rows, years(numbers), numbers, strict=True):
        yield row, Month(year, month)
