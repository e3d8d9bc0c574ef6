"""Probabilities of classes: from scores, calibrated by a temperature, and their calibration error."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
"""Count x classes."""

Labels = NDArray[np.integer[Any]]
"""The class of each example."""

_TEMPERATURES = np.geomspace(0.2, 3, 200)


def softmax(scores: Scores) -> Scores:
    """Turn scores (logits) into probabilities."""
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def surprise(probabilities: Scores, labels: Labels, *, floor: float) -> float:
    """Return the mean negative log likelihood in nats. Probabilities are at least `floor`, so that one confident mistake does not dominate."""
    return float(-np.log(np.clip(probabilities[np.arange(len(labels)), labels], floor, 1)).mean())


def temperature(scores: Scores, labels: Labels, *, floor: float) -> float:
    """Fit the temperature, by which scores are divided to maximise the likelihood (Guo et al., 2017)."""
    surprises = [surprise(softmax(scores / candidate), labels, floor=floor) for candidate in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(surprises))])


def calibration_error(probabilities: Scores, labels: Labels, *, bins: int) -> float:
    """Return the expected calibration error, the mean difference of confidence and accuracy, 0 to 1."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    parts = (place == number for number in range(bins))
    return float(sum(abs(right[part].sum() - confidence[part].sum()) for part in parts if part.any()) / len(labels))
