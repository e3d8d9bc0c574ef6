"""`first()`, rewritten before CEL sees it."""

import pytest

from streams.language.expressions.first import BadFirst, expand


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("a + b", "a + b"),
        ("first(a, b)", "(_first0 ? (a) : ( b))"),
        ("first(a, b, c)", "(_first0 ? (a) : (_first1 ? ( b) : ( c)))"),
        ("first(a, b) + first(c, d)", "(_first0 ? (a) : ( b)) + (_first1 ? (c) : ( d))"),
        ("first(first(a, b), c)", "(_first0 ? ((_first1 ? (a) : ( b))) : ( c))"),
        ("first(a, first(b, c))", "(_first0 ? (a) : ( (_first1 ? (b) : ( c))))"),
        ("first (a, b).c", "(_first0 ? (a) : ( b)).c"),
        ("first(f(a, b), [c, d], {'e': g})", "(_first0 ? (f(a, b)) : (_first1 ? ( [c, d]) : ( {'e': g})))"),
        ("first('a, (b', c)", "(_first0 ? ('a, (b') : ( c))"),
        ("'first(a)'", "'first(a)'"),
        ('"first(a"', '"first(a"'),
        ("r'\\' + first(a, 'x')", "r'\\' + (_first0 ? (a) : ( 'x'))"),
        ("'\\' + first(a, '", "'\\' + first(a, '"),
        ("x.first(a)", "x.first(a)"),
        ("x . first(a)", "x . first(a)"),
        ("my_first(a)", "my_first(a)"),
        ("first + 1", "first + 1"),
        ("firsts(a)", "firsts(a)"),
        ("xs.map(x, first(x, a))", "xs.map(x, (_first0 ? (x) : ( a)))"),
    ],
)
def test_only_calls_of_first_are_rewritten(text: str, expanded: str) -> None:
    """Each call becomes a chain of choices; strings, methods and other words stay as they are."""
    assert expand(text).text == expanded


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("first()", 0),
        ("first(a)", 0),
        ("1 + first(a, )", 4),
        ("first(, a)", 0),
        ("first(a, b", 0),
        ("first(x, first(y))", 9),
    ],
)
def test_a_wrong_first_is_refused_with_its_place(text: str, offset: int) -> None:
    """`first` needs two operands or more, and to be closed."""
    with pytest.raises(BadFirst) as caught:
        expand(text)
    assert caught.value.offset == offset


def test_places_lead_back_to_what_the_author_wrote() -> None:
    """Every character that was copied is found again at its own offset."""
    text = "x + first(aaa, bbb.first(1), first(c, 'd')) - size([e])"
    expanded = expand(text)
    for word in ("aaa", "bbb", "'d'", "size", "[e]", "x +"):
        assert text[expanded.original(expanded.text.index(word)) :].startswith(word)
