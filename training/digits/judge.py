"""The gate of digit models: candidate and champion read the test pictures of the digits that the candidate claims."""

from pathlib import Path

import numpy as np

from agents.digits.reader import Reader
from training.digits.measure import answers
from training.digits.pictures.data import test_digits
from training.evaluation.gate import Pairs, Verdict, paired


def judge(candidate: Path, champion: Path, data: Path) -> Verdict:
    """Compare a candidate's bundle with the champion's on MNIST's test pictures. Raises BadBundle and DataError."""
    new, old = Reader(candidate), Reader(champion)
    test = test_digits(data)
    claimed = test.at(np.flatnonzero(np.isin(test.labels, new.digits)))
    right, before = (answers(reader, claimed).argmax(axis=1) == claimed.labels for reader in (new, old))
    of_digit = {digit: claimed.labels == digit for digit in new.digits}
    pairs = {str(digit): Pairs.count(right[rows], before[rows]) for digit, rows in of_digit.items()}
    return paired(pairs, [str(digit) for digit in old.digits if digit not in new.digits])
