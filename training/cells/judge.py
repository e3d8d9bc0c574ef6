"""The gate of cell models: candidate and champion classify the test originals of BCCD."""

from pathlib import Path

import numpy as np

from agents.cells.classifier import Classifier
from training.cells.pictures.data import originals
from training.cells.pictures.samples import TYPES
from training.cells.pictures.through import classified
from training.evaluation.gate import Pairs, Verdict, paired


def judge(candidate: Path, champion: Path, data: Path) -> Verdict:
    """Compare a candidate's bundle with the champion's. Raises BadBundle and DataError."""
    test = originals(data, "test")
    labels = np.array([TYPES.index(smear.label) for smear in test])
    new, old = (
        classified(Classifier(folder), test).probabilities.argmax(axis=1) == labels for folder in (candidate, champion)
    )
    return paired({str(kind): Pairs.count(new[labels == at], old[labels == at]) for at, kind in enumerate(TYPES)})
