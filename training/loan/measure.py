"""What the scores are worth: how well they order, how well they are calibrated, with intervals."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.loan.data import Floats

BINS = 10
"""Of the reliability table: as many calls in each."""
ROUNDS = 1000
"""Of the bootstrap, where a card is to be published."""

Bought = NDArray[np.int64]


def auc(scores: Floats, bought: Bought, weights: Floats | None = None) -> float:
    """How often a buyer is scored above who did not buy, ties half: the area under the ROC curve. NaN without both kinds."""
    weights = np.ones(len(scores)) if weights is None else weights
    _, at = np.unique(scores, return_inverse=True)
    yes = np.bincount(at, weights * bought)
    no = np.bincount(at, weights * (1 - bought))
    pairs = yes.sum() * no.sum()
    return float((yes * (np.cumsum(no) - no / 2)).sum() / pairs) if pairs else float("nan")


def brier(scores: Floats, bought: Bought, weights: Floats | None = None) -> float:
    """Compute the Brier score: the mean squared distance between probability and outcome, 0 to 1."""
    return float(np.average((scores - bought) ** 2, weights=weights))


def surprise(scores: Floats, bought: Bought, weights: Floats | None = None) -> float:
    """Compute the mean negative log likelihood, in nats."""
    kept = np.clip(scores, 1e-9, 1 - 1e-9)
    return float(np.average(-np.log(np.where(bought == 1, kept, 1 - kept)), weights=weights))


def calibration_error(scores: Floats, bought: Bought, weights: Floats | None = None) -> float:
    """Compute the expected calibration error over BINS bins of equal weight: 0 to 1."""
    weights = np.ones(len(scores)) if weights is None else weights
    order = np.argsort(scores, kind="stable")
    place = np.cumsum(weights[order]) / weights.sum()
    part = np.minimum((place * BINS - 1e-9).astype(int), BINS - 1)
    gaps = np.bincount(part, (weights * (scores - bought))[order], BINS)
    return float(np.abs(gaps).sum() / weights.sum())


@dataclass(frozen=True)
class Figure:
    """A measured value, and the interval that holds it with 95 % (percentiles of a bootstrap over groups of possible twins)."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float]:
        """For the card."""
        return {"value": self.value, "low": self.low, "high": self.high}


MEASURES = {"auc": auc, "brier": brier, "log_loss": surprise, "calibration_error": calibration_error}


def figures(
    scores: Floats, bought: Bought, groups: NDArray[np.int64], seed: int, rounds: int = ROUNDS
) -> dict[str, Any]:
    """Each measure with its interval, and how many calls and buyers there were."""
    random = np.random.default_rng((seed, 1))
    _, at = np.unique(groups, return_inverse=True)
    count = int(at.max()) + 1
    drawn: dict[str, list[float]] = {name: [] for name in MEASURES}
    for _ in range(rounds):
        times = np.bincount(random.integers(0, count, count), minlength=count).astype(np.float64)[at]
        for name, measure in MEASURES.items():
            drawn[name].append(measure(scores, bought, times))
    figures: dict[str, Any] = {"calls": len(bought), "bought": int(bought.sum())}
    for name, measure in MEASURES.items():
        low, high = np.percentile(drawn[name], (2.5, 97.5))
        figures[name] = Figure(measure(scores, bought), float(low), float(high)).to_json()
    return figures


def reliability(scores: Floats, bought: Bought) -> list[dict[str, float]]:
    """Ten groups of as many calls by their score: the mean of the scores and the share that bought."""
    parts = np.array_split(np.argsort(scores, kind="stable"), BINS)
    return [
        {"calls": len(part), "scored": float(scores[part].mean()), "bought": float(bought[part].mean())}
        for part in parts
    ]


def slices(scores: Floats, bought: Bought, labels: NDArray[Any]) -> list[dict[str, Any]]:
    """For each label, in its order: how many, the mean score, the share that bought, and the AUC within (None without both kinds)."""
    slices = []
    for label in np.unique(labels):
        mine = labels == label
        slices.append(
            {
                "label": str(label),
                "calls": int(mine.sum()),
                "scored": float(scores[mine].mean()),
                "bought": float(bought[mine].mean()),
                "auc": within if math.isfinite(within := auc(scores[mine], bought[mine])) else None,
            }
        )
    return slices
