"""Whether a loan model may take the champion's place: both score the same calls, which neither has learned from."""

from pathlib import Path

import numpy as np

from agents.loan.model import Scorer
from training.evaluation.gate import RISK, Verdict
from training.loan import measure
from training.loan.data import TEST, Calls, Floats, load

_ROUNDS = 500
"""Of the bootstrap."""


def judge(candidate: Path, champion: Path, data: Path) -> Verdict:
    """Compare a candidate's bundle with the champion's; return the gate's verdict. Raises BadBundle and DataError."""
    calls = load(data)
    test = calls.at(
        calls.share < TEST
    )  # by their content: held back from every training of this part, also of later data
    rows = test.features.tolist()
    new, old = (np.asarray(Scorer(folder).score(rows), np.float64) for folder in (candidate, champion))
    return verdict(new, old, test)


def verdict(new: Floats, old: Floats, test: Calls) -> Verdict:
    """Compare the candidate's and the champion's scores of the same calls.

    Refused when the candidate orders them worse (AUC), or is more surprised by the outcomes (mean negative log likelihood), by
    more than chance explains: when that holds in all but a share RISK / 2 of the rounds of a bootstrap over groups of twins.
    """
    random = np.random.default_rng(7)
    groups = test.groups
    count = int(groups.max()) + 1
    worse = np.zeros(2)
    for _ in range(_ROUNDS):
        times = np.bincount(random.integers(0, count, count), minlength=count).astype(np.float64)[groups]
        worse += [
            measure.auc(new, test.bought, times) < measure.auc(old, test.bought, times),
            measure.surprise(new, test.bought, times) > measure.surprise(old, test.bought, times),
        ]
    comparison = (
        f"of {len(test):,} calls held back, AUC {measure.auc(new, test.bought):.4f} against {measure.auc(old, test.bought):.4f} of "
        f"the champion, negative log likelihood {measure.surprise(new, test.bought):.4f} against {measure.surprise(old, test.bought):.4f}"
    )
    for name, share in zip(("orders customers worse", "is calibrated worse"), worse / _ROUNDS, strict=True):
        if share > 1 - RISK / 2:
            return Verdict(
                False, f"Refused: it {name} by more than chance explains ({share:.1%} of the rounds): {comparison}."
            )
    return Verdict(True, f"Not worse than the champion: {comparison}.")
