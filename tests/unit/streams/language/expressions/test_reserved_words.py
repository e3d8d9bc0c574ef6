"""Names in the text of an expression."""

import pytest

from streams.language.expressions.reserved_words import names, position, rename


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a + b.c", ["a", "b"]),
        ("a.b.a", ["a"]),
        ("a . b", ["a"]),
        ("size(a) + size (b)", ["a", "b"]),
        ("'a' + \"b\" + c", ["c"]),
        ("'it\\'s a' + b", ["b"]),
        ("'''a'b''' + c", ["c"]),
        ("1e5 + 0x1F + 2u + u", ["u"]),
        ("a // b\n + c", ["a", "c"]),
        ("{a: b}[c]", ["a", "b", "c"]),
        ("xs.map(x, x + y)", ["xs", "x", "x", "y"]),
        ("a ? b : c", ["a", "b", "c"]),
    ],
)
def test_names_stand_for_values(text: str, found: list[str]) -> None:
    """Fields, functions, strings, numbers and comments are no names."""
    assert [one["word"] for one in names(text)] == found


def test_positions() -> None:
    """The first place where a name stands as a name."""
    assert position("ab + x.a + 'a' + a", "a") == 17
    assert position("b", "a") == 0


def test_renaming() -> None:
    """Every name, and nothing else."""
    assert (
        rename("a + x.a + 'a' + f(a) + ab", lambda word: "_0" if word == "a" else word) == "_0 + x.a + 'a' + f(_0) + ab"
    )
    assert rename("", str.upper) == ""
