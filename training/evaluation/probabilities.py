"""Probabilities of several classes: from scores, fitted by a temperature, and how far they can be believed."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
"""Count x classes."""

Labels = NDArray[np.integer[Any]]
"""Count: the class that each is of."""

_TEMPERATURES = np.geomspace(0.2, 3, 200)


def softmax(scores: Scores) -> Scores:
    """Probabilities of scores (logits)."""
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def surprise(probabilities: Scores, labels: Labels, *, floor: float) -> float:
    """The mean negative log likelihood, in nats. A probability under `floor` counts as that: one sure mistake is not all."""
    return float(-np.log(np.clip(probabilities[np.arange(len(labels)), labels], floor, 1)).mean())


def temperature(scores: Scores, labels: Labels, *, floor: float) -> float:
    """What scores are to be divided by for the probabilities of these to be most likely (Guo et al., 2017)."""
    surprises = [surprise(softmax(scores / candidate), labels, floor=floor) for candidate in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(surprises))])


def calibration_error(probabilities: Scores, labels: Labels, *, bins: int) -> float:
    """The expected calibration error: how far confidence and accuracy lie apart, 0 to 1."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    parts = (place == number for number in range(bins))
    return float(sum(abs(right[part].sum() - confidence[part].sum()) for part in parts if part.any()) / len(labels))
