"""Drift: compare what a model meets with what it learned from, by the population stability index. Pure.

For each feature, with the share e of the training data and the share a of current values in each bin:

    PSI = Σ (a − e) · ln(a / e)

Source: N. Siddiqi, Credit Risk Scorecards (Wiley, 2006), where under 0.1 means no change worth a look and over 0.25 a
great one. Of few values, chance alone gives a large one: without any change it is distributed as χ² with bins − 1 degrees
of freedom, times 1/n + 1/m (B. Yurdakul and J. Naranjo, Statistical properties of the population stability index, Journal
of Risk Model Validation 14(4), 2020). So the value that chance exceeds in one case of twenty is reported beside it.

A card describes the training data as `reference: {"of": 5000, "features": {"output.ink": {"edges": […], "shares": […]}}}`: numbers
by the inner edges of their bins (a value at an edge is in the bin above), others by `values`. A feature is the path of a
field of the output or the input.
"""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from streams.errors import Blame, MillraceError

MOVED, DRIFTED = 0.1, 0.25
_FLOOR = 1e-4
"""Smallest share of a bin: an empty bin would make the index infinite."""
_BINS = 10
_NORMAL_95 = 1.6449


class BadReference(MillraceError):
    """Raised when the reference of a card cannot be used; the message names the feature."""

    blame = Blame.OPERATOR


class Level(StrEnum):
    """The interpretation of an index."""

    STEADY = "steady"
    MOVED = "moved"
    DRIFTED = "drifted"
    TOO_FEW = "too few"
    """Chance alone may exceed MOVED."""


@dataclass(frozen=True)
class Feature:
    """The distribution of one feature in the training data."""

    path: tuple[str, ...]
    """`output` or `input`, followed by field names."""
    shares: tuple[float, ...]
    edges: tuple[float, ...] = ()
    values: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        """The path as text: `output.ink`."""
        return ".".join(self.path)

    def place(self, value: Any) -> int | None:
        """Return the bin of a value; None if no bin matches, or if there is no value."""
        if self.values:
            return self.values.index(value) if value in self.values else len(self.values)
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
            return None
        return bisect_right(self.edges, value)

    def counts(self, met: Sequence[Any]) -> list[int]:
        """Count the values in each bin; with `values`, a last bin counts all others."""
        counted = Counter(place for value in met if value is not None and (place := self.place(value)) is not None)
        return [counted[at] for at in range(len(self.shares) + bool(self.values))]


@dataclass(frozen=True)
class Reference:
    """The training data of a model, by feature."""

    features: tuple[Feature, ...]
    of: int
    """Number of examples."""


@dataclass(frozen=True)
class Drift:
    """How far a feature has drifted from the training data."""

    feature: str
    psi: float
    chance: float
    """The index that chance exceeds in one case of twenty."""
    count: int
    """Number of current values."""

    @property
    def level(self) -> Level:
        """The interpretation of the index."""
        if self.psi < MOVED:
            return Level.STEADY if self.chance < MOVED else Level.TOO_FEW
        if self.psi < self.chance:
            return Level.TOO_FEW
        return Level.DRIFTED if self.psi >= DRIFTED else Level.MOVED


def read(card: Mapping[str, Any]) -> Reference | None:
    """Read the reference of a card; None if it has none. Raises BadReference."""
    reference = card.get("reference")
    if reference is None:
        return None
    try:
        features = tuple(_feature(name, feature) for name, feature in reference["features"].items())
        return Reference(features, int(reference["of"]))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BadReference(f"the reference of {card.get('name')} cannot be read: {error!r}") from error


def _feature(name: str, body: Mapping[str, Any]) -> Feature:
    path = tuple(name.split("."))
    feature = Feature(
        path, tuple(map(float, body["shares"])), tuple(map(float, body.get("edges", ()))), tuple(body.get("values", ()))
    )
    bins = len(feature.values) if feature.values else len(feature.edges) + 1
    if path[0] not in ("input", "output") or len(path) < 2 or len(feature.shares) != bins:
        raise BadReference(
            f"{name}: {len(feature.shares)} shares of {bins} bins, of a field of the input or the output"
        )
    if list(feature.edges) != sorted(feature.edges) or abs(sum(feature.shares) - 1) > 0.01:
        raise BadReference(f"{name}: edges rise, and shares add up to 1")
    return feature


def measured(feature: Feature, met: Sequence[Any], of: int) -> Drift:
    """Measure the drift of current values against a reference of `of` examples."""
    counts = feature.counts(met)
    total, bins = sum(counts), len(counts)
    expected = [max(share, _FLOOR) for share in (*feature.shares, 0.0)[:bins]]
    if not total:
        return Drift(feature.name, 0.0, math.inf, 0)
    # Half a value is added to every bin: among few values, an empty bin means little.
    actual = [(count + 0.5) / (total + 0.5 * bins) for count in counts]
    psi = sum((a - e) * math.log(a / e) for a, e in zip(actual, expected, strict=True))
    used = sum(1 for count, share in zip(counts, expected, strict=True) if count or share > _FLOOR)
    return Drift(feature.name, psi, _chi_squared_95(max(1, used - 1)) * (1 / total + 1 / of), total)


def described(values: Sequence[float], edges: Sequence[float] | None = None) -> dict[str, list[float]]:
    """Describe numbers for a card, in bins with these edges, by default ten bins of about equal shares.

    Give edges where small differences matter little, as among confidences near 1. Raises ValueError for no values.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("of nothing there are no bins")
    if edges is None:
        edges = sorted({ordered[len(ordered) * at // _BINS] for at in range(1, _BINS)} - {ordered[0]})
    counts = Counter(bisect_right(edges, value) for value in ordered)
    return {"edges": list(edges), "shares": [round(counts[at] / len(ordered), 6) for at in range(len(edges) + 1)]}


CONFIDENCES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Bin edges for confidences."""


def listed(values: Sequence[Any]) -> dict[str, list[Any]]:
    """Describe words, or numbers that are names, for a card by their shares. Raises ValueError for no values."""
    if not values:
        raise ValueError("of nothing there are no shares")
    counts = Counter(values)
    names = sorted(counts)
    return {"values": names, "shares": [round(counts[name] / len(values), 6) for name in names]}


def _chi_squared_95(freedom: int) -> float:
    """Return the 95 % quantile of χ² by Wilson and Hilferty's approximation, within 2 % from one degree of freedom on."""
    inner = 2 / (9 * freedom)
    return float(freedom * (1 - inner + _NORMAL_95 * math.sqrt(inner)) ** 3)
