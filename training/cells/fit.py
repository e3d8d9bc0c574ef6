"""Learning: a multinomial logistic regression, its strength chosen and its probabilities calibrated by cross-validation."""

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
    """What decides the result, together with the data and the libraries' versions."""

    copies: int
    """Varied copies of each cell."""
    seed: int = SEED
    folds: int = 5
    repeats: int = 3
    """Of the cross-validation, each with other folds."""
    strengths: tuple[float, ...] = (0.002, 0.004, 0.008, 0.016, 0.032)
    """Inverse regularisation strengths to choose from."""


@dataclass(frozen=True)
class Course:
    """What the cross-validation gave."""

    tried: dict[float, float]
    """Balanced accuracy (0 to 1) by strength, the mean of the repeats."""
    strength: float
    """The best of them."""
    spread: float
    """Of its balanced accuracy between the repeats, as a standard deviation."""
    scores: NDArray[np.float64]
    """Repeats x cells x types: said of each cell by a model that had not seen it."""
    temperature: float


class Learned:
    """A trained model as scikit-learn has it."""

    def __init__(self, known: Samples, places: NDArray[np.int64], strength: float) -> None:
        """Learns from the cells at these places, whose `strangeness` it keeps. Every type counts alike, however few cells show it."""
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
        """What it says of cells x traits, before calibration."""
        return np.asarray(self.model.decision_function(self._usual(rows)), np.float64)

    def weights(self, names: tuple[str, ...], temperature: float) -> Weights:
        """As it is served."""
        types = tuple(TYPES[int(kind)] for kind in self.model.classes_)
        coefficients = np.asarray(self.model.coef_, np.float64)
        biases = np.asarray(self.model.intercept_, np.float64)
        return Weights(types, names, self.usual, self.spread, coefficients, biases, temperature, self.familiar)

    def _usual(self, rows: Numbers) -> Numbers:
        return np.asarray(np.clip((rows - self.usual) / self.spread, -UNUSUAL, UNUSUAL))


def cross_validated(known: Samples, plan: Plan) -> Course:
    """The best strength, what models of it say of cells that they have not seen, and the temperature that fits that."""
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
