"""Names that can be given."""

import pytest

from streams.language.source.identifiers import MAX_NAME, RESERVED, wrong_name


@pytest.mark.parametrize("name", ["a", "blur", "n1", "a_b", "photo2_x", "x" * MAX_NAME])
def test_names_are_identifiers(name: str) -> None:
    """Lower-case words may be names."""
    assert wrong_name(name) is None


@pytest.mark.parametrize("name", ["", "A", "1a", "_a", "a-b", "a b", "ä", "a.b", "$out", "x" * (MAX_NAME + 1)])
def test_a_word_that_cel_cannot_read_is_no_name(name: str) -> None:
    """Whatever CEL could not read as one word is refused."""
    assert wrong_name(name) is not None


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_words_of_the_language_are_reserved(name: str) -> None:
    """What CEL or the language means something by is no name."""
    wrong = wrong_name(name)
    assert wrong is not None
    assert "reserved" in wrong[0]
