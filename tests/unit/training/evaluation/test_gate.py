"""The gate, by arithmetic that can be done by hand."""

import pytest

from training.evaluation.gate import RISK, Leave, Pairs, allowed, interval, paired


def test_the_test_of_mcnemar_is_the_exact_one() -> None:
    """Of 10 examples on which two models differ, the champion alone has 9: (10 + 1) / 2**10; none that differ say nothing."""
    assert Pairs(both=100, candidate=1, champion=9).worse == pytest.approx(11 / 1024)
    assert Pairs(both=100, neither=3).worse == 1
    assert Pairs(candidate=9, champion=1).worse == pytest.approx(1023 / 1024)


def test_intervals_are_those_of_wilson() -> None:
    """The interval of 8 of 10 is that of the books, and a share of 1 has an interval too."""
    assert interval(8, 10) == pytest.approx((0.490162, 0.943317), abs=1e-5)
    low, high = interval(50, 50)
    assert 0.92 < low < 0.94
    assert high == pytest.approx(1)


def test_as_good_passes_and_says_so() -> None:
    """A candidate that is a little worse passes while chance explains it; the verdict has both shares."""
    verdict = paired({"0": Pairs(both=970, candidate=4, champion=6), "1": Pairs(both=1100, candidate=2, champion=2)})
    assert verdict.passed
    assert "of 2,084 test examples the candidate has 2,076 (99.62%" in verdict.text
    assert "the champion 2,078 (99.71%" in verdict.text


def test_worse_is_refused() -> None:
    """More errors than chance explains are refused, with the figures."""
    verdict = paired({"0": Pairs(both=900, candidate=2, champion=14), "1": Pairs(both=900, candidate=2, champion=12)})
    assert not verdict.passed
    assert verdict.text.startswith("Refused: worse than the champion on what it claims")
    assert "26 by the champion alone" in verdict.text


def test_one_class_that_got_worse_is_refused_though_the_whole_did_not() -> None:
    """What is lost on one class is not made good by what is gained on another."""
    verdict = paired({"0": Pairs(both=900, candidate=40), "1": Pairs(both=900, champion=12)})
    assert not verdict.passed
    assert "on 1 (0 against 12" in verdict.text


def test_more_classes_do_not_make_refusals_by_chance_more_frequent() -> None:
    """The level of one comparison is shared out: what one class alone would refuse, ten together do not."""
    suspicious = Pairs(both=100, champion=6)
    assert suspicious.worse < RISK / 3
    assert not paired({"0": suspicious}).passed
    assert paired(
        {str(digit): Pairs(both=100, candidate=5, champion=1) for digit in range(9)} | {"9": suspicious}
    ).passed


def test_unknown_classes_of_the_candidate_are_reported() -> None:
    """The comparison passes: what it claims it does as well."""
    verdict = paired({"0": Pairs(both=10)}, unclaimed=("8", "9"))
    assert verdict.passed
    assert verdict.text.endswith("It does not know 8, 9, which the champion does.")


def test_a_candidate_that_knows_less_is_held_back() -> None:
    """A model of 0 to 4 read everybody's 7 as 2: it serves only where whoever orders it says so."""
    verdict = paired({"0": Pairs(both=10)}, unclaimed=("8", "9"))
    held = allowed(verdict, Leave())
    assert not held.passed
    assert held.text.startswith("Held back: callers who send 8, 9 would be answered wrongly")
    assert held.text.endswith(verdict.text)
    assert allowed(verdict, Leave(fewer=True)) == verdict
    whole = paired({"0": Pairs(both=10)})
    assert allowed(whole, Leave()) == whole


def test_a_model_to_look_at_does_not_serve() -> None:
    """However good it is; and a bad one is refused for what it is."""
    good, bad = paired({"0": Pairs(both=10)}), paired({"0": Pairs(both=900, champion=40)})
    held = allowed(good, Leave(promote=False, fewer=True))
    assert not held.passed
    assert "not to serve" in held.text
    assert allowed(bad, Leave(promote=False)) == bad


def test_nothing_to_compare_on_is_an_error() -> None:
    """Without test examples nothing is decided."""
    with pytest.raises(ValueError, match="needs examples"):
        paired({"0": Pairs()})
