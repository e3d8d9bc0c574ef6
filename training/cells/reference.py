"""What cells look like that the model learned from: what its drift is measured against (see `streams.datasets.drift`).

Confidences and types are what was said of cells in the cross-validation by models that had not seen them, as it is of new ones.
"""

from typing import Any

from streams.datasets.drift import CONFIDENCES, described, listed
from training.cells.fit import Course, Learned
from training.cells.pictures.samples import TYPES
from training.evaluation.probabilities import softmax


def reference(learned: Learned, course: Course) -> dict[str, Any]:
    """The part `reference` of a card."""
    said = softmax(course.scores[0] / course.temperature)
    return {
        "of": len(said),
        "features": {
            "output.strangeness": described([round(float(one), 4) for one in learned.strangeness]),
            "output.confidence": described([float(one) for one in said.max(axis=1)], CONFIDENCES),
            "output.cell_type": listed([str(TYPES[int(one)]) for one in said.argmax(axis=1)]),
        },
    }
