"""Whether a cell model may take the champion's place: both are asked about the test originals of BCCD."""

from pathlib import Path

import numpy as np

from agents.cells.classifier import Classifier
from training.cells.pictures.data import originals
from training.cells.pictures.samples import TYPES
from training.cells.pictures.through import told
from training.evaluation.gate import Pairs, Verdict, paired


def judge(candidate: Path, champion: Path, data: Path) -> Verdict:
    """The gate's verdict on a candidate's bundle. Raises BadBundle and DataError."""
    test = originals(data, "test")
    labels = np.array([TYPES.index(one.label) for one in test])
    right, before = (
        told(Classifier(one), test).probabilities.argmax(axis=1) == labels for one in (candidate, champion)
    )

    def pairs(kind: int) -> Pairs:
        its = labels == kind
        counts = [right & before, right & ~before, ~right & before, ~right & ~before]
        return Pairs(*(int((one & its).sum()) for one in counts))

    return paired({str(one): pairs(at) for at, one in enumerate(TYPES)})
