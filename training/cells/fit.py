"""Fit a multinomial logistic regression; cross-validation chooses its strength and calibrates its probabilities."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from agents.cells.classifier import UNUSUAL, Weights
from training.cells.measure import FLOOR, Scores, balanced
from training.cells.pictures.samples import TYPES, Samples
from training.evaluation.probabilities import temperature

Numbers = NDArray[np.float64]

SEED = 5


@dataclass(frozen=True)
class Plan:
    """Parameters that decide the result, together with the data and the versions of libraries."""

    copies: int
    """Varied copies of each cell."""
    seed: int = SEED
    folds: int = 5
    repeats: int = 3
    """Repetitions of the cross-validation, each with other folds."""
    strengths: tuple[float, ...] = (0.002, 0.004, 0.008, 0.016, 0.032)
    """Inverse regularisation strengths to choose from."""


@dataclass(frozen=True)
class Course:
    """Results of the cross-validation."""

    tried: dict[float, float]
    """Balanced accuracy (0 to 1) by strength, averaged over the repeats."""
    strength: float
    """The best of them."""
    spread: float
    """Standard deviation of its balanced accuracy between the repeats."""
    scores: NDArray[np.float64]
    """Scores of each cell by a model that had not seen it: repeats x cells x types."""
    temperature: float


class Learned:
    """A model trained by scikit-learn."""

    def __init__(self, known: Samples, places: NDArray[np.int64], strength: float) -> None:
        """Learn from the cells at these places, and keep their `strangeness`. Every type has the same weight."""
        chosen = known.traits[places]
        rows = chosen.reshape(-1, chosen.shape[-1])
        labels = np.repeat(known.labels[places], chosen.shape[1])
        self.usual = rows.mean(axis=0)
        self.spread = np.where(rows.std(axis=0) > 0, rows.std(axis=0), 1.0)
        self.strangeness = np.sqrt((((chosen[:, 0] - self.usual) / self.spread) ** 2).mean(axis=1))
        self.familiar = float(self.strangeness.max())
        self.model = LogisticRegression(C=strength, class_weight="balanced", max_iter=5000, tol=1e-6)
        self.model.fit(self._usual(rows), labels)

    def scores(self, rows: Numbers) -> Scores:
        """Score cells x traits, before calibration."""
        return np.asarray(self.model.decision_function(self._usual(rows)), np.float64)

    def weights(self, names: tuple[str, ...], temperature: float) -> Weights:
        """Return the weights that are served."""
        types = tuple(TYPES[int(kind)] for kind in self.model.classes_)
        coefficients = np.asarray(self.model.coef_, np.float64)
        biases = np.asarray(self.model.intercept_, np.float64)
        return Weights(types, names, self.usual, self.spread, coefficients, biases, temperature, self.familiar)

    def _usual(self, rows: Numbers) -> Numbers:
        return np.asarray(np.clip((rows - self.usual) / self.spread, -UNUSUAL, UNUSUAL))


def cross_validated(known: Samples, plan: Plan) -> Course:
    """Choose the best strength, and fit the temperature to the scores of unseen cells."""
    by_strength = {strength: _unseen(known, plan, strength) for strength in plan.strengths}
    each = {candidate: [balanced(part, known.labels) for part in scores] for candidate, scores in by_strength.items()}
    tried = {candidate: float(np.mean(values)) for candidate, values in each.items()}
    best = max(tried, key=lambda candidate: tried[candidate])
    scores = by_strength[best]
    return Course(tried, best, float(np.std(each[best])), scores, _temperature(scores, known))


def _unseen(known: Samples, plan: Plan, strength: float) -> Scores:
    scores = np.zeros((plan.repeats, len(known), len(TYPES)))
    for repeat in range(plan.repeats):
        folds = StratifiedGroupKFold(plan.folds, shuffle=True, random_state=plan.seed + repeat)
        for learn, rest in folds.split(known.labels, known.labels, known.groups):
            scores[repeat, rest] = Learned(known, learn, strength).scores(known.traits[rest, 0])
    return scores


def _temperature(scores: Scores, known: Samples) -> float:
    rows, labels = scores.reshape(-1, len(TYPES)), np.tile(known.labels, len(scores))
    return temperature(rows, labels, floor=FLOOR)
