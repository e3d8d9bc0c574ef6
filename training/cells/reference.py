"""The reference for drift of a cell model: its training data (see `streams.datasets.drift`).

Confidences and types are what was said of cells in the cross-validation by models that had not seen them, as it is of new ones.
"""

from typing import Any

from streams.datasets.drift import CONFIDENCES, described, listed
from training.cells.fit import Course, Learned
from training.cells.pictures.samples import TYPES
from training.evaluation.probabilities import softmax


def reference(learned: Learned, course: Course) -> dict[str, Any]:
    """Return the part `reference` of a card."""
    probabilities = softmax(course.scores[0] / course.temperature)
    return {
        "of": len(probabilities),
        "features": {
            "output.strangeness": described([round(float(value), 4) for value in learned.strangeness]),
            "output.confidence": described([float(value) for value in probabilities.max(axis=1)], CONFIDENCES),
            "output.cell_type": listed([str(TYPES[int(value)]) for value in probabilities.argmax(axis=1)]),
        },
    }
