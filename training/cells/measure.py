"""Metrics for few and unequal classes: balanced accuracy with its uncertainty, recalls, calibration, boxes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.imaging.area import Box
from training.evaluation.gate import interval
from training.evaluation.probabilities import calibration_error, surprise

Scores = NDArray[np.float64]
"""Cells x types."""

Labels = NDArray[np.int64]
Table = NDArray[np.int64]

FLOOR = 1e-6
"""Smallest probability in a likelihood: among few cells a single confident mistake would hide everything else."""

_BINS = 10
"""Bins of the expected calibration error."""

_DRAWS = 10_000


@dataclass(frozen=True)
class Said:
    """Answers of the service; a refused picture has probabilities of 0, and counts as wrong."""

    probabilities: Scores
    labels: Labels
    refused: int = 0
    familiar: NDArray[np.bool_] | None = None
    """Which pictures are similar to the training data; None if it was not measured."""

    def at(self, places: NDArray[np.bool_]) -> "Said":
        """Select some of them; refusals among them are not counted separately."""
        return Said(
            self.probabilities[places], self.labels[places], 0, None if self.familiar is None else self.familiar[places]
        )


def confusion(scores: Scores, labels: Labels) -> Table:
    """Count types x (types + 1): rows are the types, columns the answers, the last column refusals."""
    kinds = scores.shape[1]
    table = np.zeros((kinds, kinds + 1), np.int64)
    taken = np.where(scores.any(axis=1), scores.argmax(axis=1), kinds)
    np.add.at(table, (labels, taken), 1)
    return table


def recalls(table: Table) -> Scores:
    """Return the recall of each type that has examples."""
    of = table.sum(axis=1)
    return np.asarray(np.diagonal(table)[of > 0] / of[of > 0])


def balanced(scores: Scores, labels: Labels) -> float:
    """Return the mean of the recalls."""
    return float(recalls(confusion(scores, labels)).mean())


def drawn_again(table: Table, seed: int) -> tuple[float, float]:
    """Return the 95 % interval of the balanced accuracy by bootstrap: pictures of each type drawn with replacement."""
    random = np.random.default_rng(seed)
    of, right = table.sum(axis=1), np.diagonal(table)
    parts = [random.binomial(n, r / n, _DRAWS) / n for n, r in zip(of, right, strict=True) if n]
    return _ends(np.mean(parts, axis=0))


def believed(table: Table, seed: int) -> tuple[float, float]:
    """Return a wider interval from Jeffreys' posterior of each recall, which varies even if all examples of a type are right."""
    random = np.random.default_rng(seed)
    of, right = table.sum(axis=1), np.diagonal(table)
    parts = [random.beta(r + 0.5, n - r + 0.5, _DRAWS) for n, r in zip(of, right, strict=True) if n]
    return _ends(np.mean(parts, axis=0))


def figures(answers: Said, seed: int) -> dict[str, Any]:
    """Return all metrics of one set of pictures, for the card."""
    table = confusion(answers.probabilities, answers.labels)
    low, high = drawn_again(table, seed)
    widest = believed(table, seed)
    return {
        "of": len(answers.labels),
        "refused": answers.refused,
        "familiar": None if answers.familiar is None else share(int(answers.familiar.sum()), len(answers.labels)),
        "balanced_accuracy": float(recalls(table).mean()),
        "bootstrap": [low, high],
        "jeffreys": list(widest),
        "accuracy": share(int(np.diagonal(table).sum()), len(answers.labels)),
        "recall": [share(int(table[at, at]), int(table[at].sum())) for at in range(len(table))],
        "confusion": table.tolist(),
        "calibration": calibration_error(answers.probabilities, answers.labels, bins=_BINS),
        "surprise": surprise(answers.probabilities, answers.labels, floor=FLOOR),
    }


def share(right: int, of: int) -> dict[str, Any]:
    """Return a share with Wilson's interval."""
    low, high = interval(right, of) if of else (0.0, 1.0)
    return {"right": right, "of": of, "rate": right / of if of else 0.0, "low": low, "high": high}


def overlap(box: Box, other: Box) -> float:
    """Return the intersection over union of two boxes, 0 to 1."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    both = max(0, width) * max(0, height)
    return both / (_size(box) + _size(other) - both)


def boxes(overlaps: Sequence[float]) -> dict[str, Any]:
    """Return how well cells were found; a refused picture has 0."""
    values = np.asarray(overlaps)
    return {
        "found": share(int((values >= 0.5).sum()), len(values)),
        "mean": float(values.mean()),
        "median": float(np.median(values)),
        "least": float(values.min()),
    }


def _size(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _ends(values: Scores) -> tuple[float, float]:
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)
