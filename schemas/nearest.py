"""What somebody may have meant by a word that nobody knows: bounded, since both sides may come from strangers."""

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

LETTERS = 60
"""Characters of a word that is compared with others: comparing grows with the square of them."""
NAMES = 200
"""Words that it is compared with."""


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known word that is most like this one; None when there is none, and for long words."""
    if len(word) > LETTERS:
        return None
    short = islice((name for name in known if len(name) <= LETTERS), NAMES)
    return next(iter(get_close_matches(word, list(short), 1, cutoff)), None)
