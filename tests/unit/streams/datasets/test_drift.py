"""The population stability index: what it is, what chance gives, and what cards say."""

import math
import random
from typing import Any

import pytest

from streams.datasets.drift import BadReference, Feature, Level, described, listed, measured, read

INK = Feature(("output", "ink"), (0.5, 0.3, 0.2), edges=(1.0, 2.0))
WORD = Feature(("input", "job"), (0.7, 0.3), values=("admin", "nurse"))


def test_the_index_is_that_of_its_definition() -> None:
    """Of many values it is the sum over the bins, as worked out by hand."""
    met = [0.0] * 2000 + [1.0] * 3000 + [5.0] * 5000
    found = measured(INK, met, 1_000_000)
    by_hand = (0.2 - 0.5) * math.log(0.2 / 0.5) + (0.5 - 0.2) * math.log(0.5 / 0.2)
    assert found.psi == pytest.approx(by_hand, rel=2e-3)
    assert (found.feature, found.count, found.level) == ("output.ink", 10_000, Level.DRIFTED)
    assert measured(INK, [0.0] * 500 + [1.5] * 300 + [2.0] * 200, 1000).psi < 1e-4


def test_chance_alone_is_not_told_as_drift() -> None:
    """Of the same population it stays under what chance gives in 19 of 20 cases, and few values are said to be few."""
    luck = random.Random(7)
    feature = Feature(("output", "x"), (0.1,) * 10, edges=tuple(number / 10 for number in range(1, 10)))
    for count in (100, 1000):
        found = [measured(feature, [luck.random() for _ in range(count)], 5000) for _ in range(300)]
        above = sum(one.psi > one.chance for one in found)
        assert 3 <= above <= 30, "about one of twenty"
        assert sum(one.level is Level.DRIFTED for one in found) <= (0 if count == 1000 else 6)
    few = measured(feature, [0.95] * 3, 5000)
    assert few.level is Level.TOO_FEW
    assert measured(feature, [], 5000).level is Level.TOO_FEW
    assert measured(feature, [0.95] * 40, 5000).level is Level.DRIFTED


def test_words_that_were_never_learned_count() -> None:
    """A word that no example had is a bin of its own; what is missing is no value."""
    assert WORD.counts(["admin", "nurse", "pilot", None]) == [1, 1, 1]
    assert measured(WORD, ["pilot"] * 30 + ["admin"] * 49 + ["nurse"] * 21, 5000).level is Level.DRIFTED
    assert measured(WORD, ["admin"] * 140 + ["nurse"] * 60, 5000).level is Level.STEADY


def test_a_card_says_what_was_learned_from() -> None:
    """Numbers in bins of about equal shares, words by their own; what is described so has no drift from itself."""
    luck = random.Random(3)
    numbers = [luck.gauss(0, 1) for _ in range(2000)]
    sure = [1.0] * 1900 + [0.5] * 100
    words = luck.choices(["a", "b"], [3, 1], k=2000)
    card = {
        "name": "m",
        "reference": {
            "of": 2000,
            "features": {"output.x": described(numbers), "output.sure": described(sure), "input.word": listed(words)},
        },
    }
    reference = read(card)
    assert reference is not None
    assert [one.name for one in reference.features] == ["output.x", "output.sure", "input.word"]
    everything: list[list[Any]] = [numbers, sure, words]
    for feature, met in zip(reference.features, everything, strict=True):
        assert measured(feature, met, reference.of).psi < 0.001
    assert read({"name": "m"}) is None


@pytest.mark.parametrize(
    "said",
    [
        {"of": 5},
        {"of": 5, "features": {"ink": {"edges": [1], "shares": [0.5, 0.5]}}},
        {"of": 5, "features": {"output.ink": {"edges": [1], "shares": [1.0]}}},
        {"of": 5, "features": {"output.ink": {"edges": [2, 1], "shares": [0.2, 0.3, 0.5]}}},
        {"of": 5, "features": {"output.ink": {"edges": [1], "shares": [0.5, 0.9]}}},
        {"of": "many", "features": {}},
        [],
    ],
)
def test_a_card_that_cannot_be_used_says_so(said: Any) -> None:
    """Missing parts, other counts of shares and edges that fall are told, with the model or the feature."""
    with pytest.raises(BadReference):
        read({"name": "m", "reference": said})
