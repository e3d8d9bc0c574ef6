"""Whether a digit model may take the champion's place: both read the same test pictures of the digits that it claims."""

from pathlib import Path

import numpy as np

from agents.digits.reader import Reader
from training.digits.measure import answers
from training.digits.pictures.data import test_digits
from training.evaluation.gate import Pairs, Verdict, paired


def judge(candidate: Path, champion: Path, data: Path) -> Verdict:
    """The gate's verdict on a candidate's bundle, on MNIST's test pictures. Raises BadBundle and DataError."""
    new, old = Reader(candidate), Reader(champion)
    test = test_digits(data)
    claimed = test.at(np.flatnonzero(np.isin(test.labels, new.digits)))
    right, before = (answers(reader, claimed).argmax(axis=1) == claimed.labels for reader in (new, old))

    def pairs(digit: int) -> Pairs:
        its = claimed.labels == digit
        counts = [right & before, right & ~before, ~right & before, ~right & ~before]
        return Pairs(*(int((one & its).sum()) for one in counts))

    lost = [str(digit) for digit in old.digits if digit not in new.digits]
    return paired({str(digit): pairs(digit) for digit in new.digits}, lost)
