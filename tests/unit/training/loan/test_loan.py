"""How the loan model is trained and judged: a split without twins, measures that mean what they say, a gate that holds."""

import os
from pathlib import Path

import numpy as np
import pytest

from agents.loan.features import INPUTS, NAMES
from training.loan import measure
from training.loan.data import TEST, Calls, load, masked, only, share_of
from training.loan.judge import verdict

RANDOM = np.random.default_rng(3)


def calls(scores: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Calls:
    """Calls that are bought as often as these scores say, each of its own group."""
    count = len(scores)
    bought = (RANDOM.uniform(size=count) < scores).astype(np.int64)
    nothing = np.zeros(count, np.int64)
    share = np.arange(count) / count
    return Calls(
        np.zeros((count, len(NAMES)), np.float32), bought, nothing > 0, nothing, share, nothing.astype(np.str_), nothing
    )


def test_auc_is_how_often_a_buyer_stands_above() -> None:
    """The AUC is that of all pairs counted one by one, with ties half, and with weights as if rows were repeated."""
    scores, bought = np.round(RANDOM.uniform(size=60), 1), RANDOM.integers(0, 2, 60)
    yes, no = scores[bought == 1], scores[bought == 0]
    wanted = np.mean([(buyer > other) + (buyer == other) / 2 for buyer in yes for other in no])
    assert measure.auc(scores, bought) == pytest.approx(wanted)
    times = RANDOM.integers(0, 4, 60)
    repeated = measure.auc(np.repeat(scores, times), np.repeat(bought, times))
    assert measure.auc(scores, bought, times.astype(np.float64)) == pytest.approx(repeated)
    assert np.isnan(measure.auc(scores, np.zeros(60, np.int64)))


def test_calibration_error_sees_what_is_wrong() -> None:
    """True probabilities have next to none, and those that are 0.2 too high have 0.2."""
    scores = RANDOM.uniform(0.1, 0.7, 40_000)
    bought = calls(scores).bought
    assert measure.calibration_error(scores, bought) < 0.015
    assert measure.calibration_error(scores + 0.2, bought) == pytest.approx(0.2, abs=0.015)
    assert sum(band["calls"] for band in measure.reliability(scores, bought)) == 40_000


def test_an_interval_holds_its_value_and_shrinks_with_more() -> None:
    """The value lies within its interval, and that of four times as many calls is about half as wide."""
    widths = []
    for count in (1000, 4000):
        some = calls(RANDOM.uniform(0.05, 0.6, count))
        scores = RANDOM.uniform(0.05, 0.6, count)
        auc = measure.figures(scores, some.bought, some.groups, 1)["auc"]
        assert auc["low"] < auc["value"] < auc["high"]
        widths.append(auc["high"] - auc["low"])
    assert 1.5 < widths[0] / widths[1] < 2.7


def test_the_gate_refuses_what_is_worse_and_nothing_else() -> None:
    """A candidate that is as good passes; one that orders worse, or whose probabilities are off, is refused with figures."""
    true = RANDOM.uniform(0.02, 0.7, 6000)
    test = calls(true)
    noisy = np.clip(true + RANDOM.normal(0, 0.02, 6000), 0.01, 0.99)
    assert verdict(noisy, true, test).passed or "by more than chance" in verdict(noisy, true, test).text
    assert verdict(true, true, test).passed
    assert verdict(true, noisy, test).passed
    worse = verdict(RANDOM.permutation(true), true, test)
    assert not worse.passed
    assert "orders customers worse" in worse.text
    off = verdict(np.clip(true * 0.3, 0.01, 0.99), true, test)
    assert not off.passed
    assert "calibrated worse" in off.text


def test_less_known_is_less_known() -> None:
    """Hiding leaves the economy, hides the features of one input together, and hides about half of all."""
    rows = RANDOM.uniform(size=(2000, len(NAMES))).astype(np.float32)
    hidden = np.isnan(masked(rows, np.random.default_rng(1)))
    assert not hidden[:, -5:].any()
    jobs = hidden[:, [NAMES.index(name) for name in INPUTS["job"]]]
    assert (jobs.all(axis=1) == jobs.any(axis=1)).all()
    assert 0.45 < hidden[:, :-5].mean() < 0.55
    kept = ~np.isnan(only(rows, frozenset({"age"})))
    assert set(np.flatnonzero(kept.all(axis=0))) == {0, *range(len(NAMES) - 5, len(NAMES))}


def test_a_share_is_the_same_everywhere() -> None:
    """The side of a split that a call is on follows from its content alone."""
    assert share_of("2008-5-261-1") == pytest.approx(0.044405, abs=1e-6)
    shares = [share_of(str(number)) for number in range(4000)]
    assert 0.18 < np.mean([share < TEST for share in shares]) < 0.22


@pytest.mark.data
def test_no_twin_is_on_the_other_side() -> None:
    """Rows of the two files that may describe the same call share a side; both sides hold both files; nothing is lost."""
    folder = os.environ.get("MILLRACE_DATA")
    if not folder or not Path(folder, "bank-marketing").is_dir():
        pytest.skip("needs the public data: set MILLRACE_DATA to a directory with bank-marketing")
    loaded = load(Path(folder))
    assert (len(loaded), int(loaded.bought.sum())) == (85_385, 4_527 + 5_289)
    held = loaded.share < TEST
    assert not set(loaded.share[held]) & set(loaded.share[~held])
    assert 0.15 < held.mean() < 0.25
    for side in (held, ~held):
        assert 0.4 < loaded.full[side].mean() < 0.65
    assert len(np.unique(loaded.groups)) < 0.35 * len(loaded), "the two files describe the same calls"
    economy = loaded.features[~loaded.full][:, -5:]
    assert not np.isnan(economy).any()
    assert len(np.unique(economy, axis=0)) == 26
