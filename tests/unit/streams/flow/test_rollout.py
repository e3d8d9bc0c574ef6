"""Which version a run takes while another one is tried."""

import uuid

import pytest

from streams.flow.rollout import Rollout, Trial, percent, shadow_run

ACTIVE, NEW = "a" * 64, "b" * 64


def test_without_a_trial_every_run_takes_the_active_one() -> None:
    """Nothing is tried unless somebody asked for it."""
    assert {Rollout(ACTIVE).digest(str(uuid.uuid4())) for _ in range(50)} == {ACTIVE}
    assert Rollout(ACTIVE).shadow is None


def test_a_canary_takes_its_share() -> None:
    """A share of the runs takes the new version: about as many as it says, and always the same ones."""
    rollout = Rollout(ACTIVE, NEW, Trial(0.1))
    runs = [str(uuid.UUID(int=number)) for number in range(4000)]
    taken = [rollout.digest(run) for run in runs]
    assert 300 < taken.count(NEW) < 500
    assert taken == [Rollout(ACTIVE, NEW, Trial(0.1)).digest(run) for run in runs]
    assert rollout.shadow is None


def test_a_larger_share_keeps_the_runs_of_the_smaller() -> None:
    """When the share grows, whoever had the new version keeps it."""
    runs = [str(uuid.UUID(int=number)) for number in range(1000)]
    few = {run for run in runs if Rollout(ACTIVE, NEW, Trial(0.1)).digest(run) == NEW}
    more = {run for run in runs if Rollout(ACTIVE, NEW, Trial(0.5)).digest(run) == NEW}
    assert few < more


def test_a_shadow_takes_no_run() -> None:
    """A shadow repeats requests as runs of its own, and no caller's run is on it."""
    rollout = Rollout(ACTIVE, NEW, Trial(shadow=True))
    assert {rollout.digest(str(uuid.uuid4())) for _ in range(50)} == {ACTIVE}
    assert rollout.shadow == NEW
    assert shadow_run("r", NEW) == shadow_run("r", NEW) != shadow_run("s", NEW)


@pytest.mark.parametrize(("text", "share"), [("10%", 0.1), ("0.25", 0.25), (" 99.5% ", 0.995)])
def test_shares(text: str, share: float) -> None:
    """A share is a percentage or a fraction."""
    assert percent(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["0%", "100%", "1", "-5%", "ten", "", "%"])
def test_a_wrong_share_is_refused(text: str) -> None:
    """Nothing and everything are no trial, and words are refused with what is taken."""
    with pytest.raises(ValueError, match="percentage"):
        percent(text)
