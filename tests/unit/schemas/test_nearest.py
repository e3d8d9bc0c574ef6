"""Suggestions: what is close is found, and nothing long is compared."""

import pytest

from schemas import nearest as module
from schemas.nearest import LETTERS, NAMES, nearest


def test_the_closest_word_is_suggested() -> None:
    """One, or none."""
    assert nearest("aera", ["zone", "area"]) == "area"
    assert nearest("q", ["zone", "area"]) is None
    assert nearest("areas", ["area"], cutoff=0.99) is None


def test_long_words_and_long_lists_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparing grows with the square of the letters and with the number of words: both are bounded."""
    compared: list[tuple[int, int]] = []

    def comparing(word: str, known: list[str], _: int, __: float) -> list[str]:
        compared.append((len(word), len(known)))
        assert max(map(len, known), default=0) <= LETTERS
        return []

    monkeypatch.setattr(module, "get_close_matches", comparing)
    assert nearest("x" * 16_000, ["x" * 16_000]) is None
    assert nearest("x", ["x" * 16_000, *map(str, range(100_000))]) is None
    assert compared == [(1, NAMES)]
