"""Metrics of a digit model: accuracy with its interval, per digit, calibration; on pictures and through the service."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.digits.ink import find
from agents.digits.reader import Reader
from agents.imaging.picture import Picture
from streams.service.errors import InvalidInput
from training.digits.pictures.data import Digits, Labels
from training.digits.pictures.scenes import Scene
from training.evaluation.gate import interval
from training.evaluation.probabilities import calibration_error, surprise

Scores = NDArray[np.float64]
"""Count x 10, one row per picture."""

SURE = 0.9
"""Probability from which on an answer looks certain."""

FLOOR = 1e-12
"""Smallest probability in a likelihood."""

_BINS = 15
"""Bins of the expected calibration error."""


@dataclass(frozen=True)
class Share:
    """A share of examples."""

    right: int
    of: int
    refused: int = 0
    """Examples among the wrong ones that were refused."""

    @property
    def rate(self) -> float:
        """0 to 1."""
        return self.right / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's, at 95 %."""
        return interval(self.right, self.of)

    def to_json(self) -> dict[str, Any]:
        """Return the share for the card."""
        low, high = self.interval
        return {
            "right": self.right,
            "of": self.of,
            "refused": self.refused,
            "rate": self.rate,
            "low": low,
            "high": high,
        }


def share(scores: Scores, labels: Labels) -> Share:
    """Count the rows whose highest score is that of their label."""
    return Share(int((scores.argmax(axis=1) == labels).sum()), len(labels))


def confusion(scores: Scores, labels: Labels) -> NDArray[np.int64]:
    """Count 10 x 10: the row is the digit, the column the answer."""
    table = np.zeros((10, 10), np.int64)
    np.add.at(table, (labels, scores.argmax(axis=1)), 1)
    return table


def answers(reader: Reader, digits: Digits) -> Scores:
    """Return the served network's probabilities of all ten digits."""
    return np.array([reader.read(picture).probabilities for picture in digits.pictures])


def figures(served: Scores, trained: Scores, test: Digits, digits: tuple[int, ...]) -> dict[str, Any]:
    """Return all metrics of the test set. `trained` has the trained network's probabilities, one column for each of its digits."""
    known = np.isin(test.labels, digits)
    table = confusion(served, test.labels)
    metrics: dict[str, Any] = {
        "accuracy": {"mnist-test": share(served[known], test.labels[known]).to_json()},
        "recall": [Share(int(table[at, at]), int(table[at].sum())).to_json() for at in range(10)],
        "confusion": table.tolist(),
        "calibration": calibration_error(served[known], test.labels[known], bins=_BINS),
        "surprise": surprise(served[known], test.labels[known], floor=FLOOR),
        "served_difference": float(np.abs(served[:, list(digits)] - trained).max()),
        "served_disagreements": int((np.array(digits)[trained.argmax(axis=1)] != served.argmax(axis=1)).sum()),
    }
    if not known.all():
        sure = int((served[~known].max(axis=1) >= SURE).sum())
        metrics["accuracy"]["mnist-test-all"] = share(served, test.labels).to_json()
        metrics["unknown_but_sure"] = Share(sure, int((~known).sum())).to_json()
    return metrics


def through_service(reader: Reader, scenes: Iterable[Scene]) -> Share:
    """Read picture files as the service does; a refused one counts as wrong."""
    right = of = refused = 0
    for data, label in scenes:
        of += 1
        try:
            right += reader.read(find(Picture.decode(data)).pixels).digit == label
        except InvalidInput:
            refused += 1
    return Share(right, of, refused)
