"""Values with expressions inside."""

from typing import Any

import pytest

from streams.errors import EvaluationError
from streams.language.template import (
    BadTemplate,
    Const,
    Fields,
    Items,
    Text,
    evaluate,
    expressions,
    needs,
    pieces,
    read,
    type_of,
)
from streams.language.types import ANY, BOOL, FLOAT, INT, NULL, STRING, Kind, Type, list_of, record_of

VALUES = {"n": 3, "f": 2.5, "s": "x", "t": True, "xs": [1, 2], "r": {"a": 1}}


@pytest.mark.parametrize(
    ("value", "made"),
    [
        ("${n}", 3),
        ("${xs}", [1, 2]),
        ("${t}", True),
        ("n is ${n}", "n is 3"),
        ("${n}${s}", "3x"),
        ("${n} ", "3 "),
        ("${f}/${t}/${s}", "2.5/true/x"),
        ("plain", "plain"),
        ("", ""),
        ("$${n}", "${n}"),
        ("$n and $$ and {n}", "$n and $$ and {n}"),
        ("a $${b} ${n}", "a ${b} 3"),
        ("${ {'a': {'b': n}}.a.b }", 3),
        ("${'}' + s}", "}x"),
        ('${"}" + s}', "}x"),
        ("${'''}''' + s}", "}x"),
        (["${n}", {"k": "${s}", "l": ["${f}"]}, 1], [3, {"k": "x", "l": [2.5]}, 1]),
        (7, 7),
        (None, None),
        ({}, {}),
    ],
)
def test_values_keep_their_type_and_texts_become_text(value: Any, made: Any) -> None:
    """`${…}` alone is the value itself; inside a text it is shown; lists and records hold more of both."""
    found = evaluate(read(value, ()), VALUES)
    assert found == made
    assert type(found) is type(made)


@pytest.mark.parametrize("text", ["xs: ${xs}", "r: ${r}", "null: ${null}"])
def test_only_one_thing_can_stand_in_a_text(text: str) -> None:
    """A list, a record or nothing cannot be shown inside a text."""
    with pytest.raises(EvaluationError, match="cannot stand inside a text"):
        evaluate(read(text, ()), VALUES)


def test_forms() -> None:
    """A template is frozen data of five forms."""
    assert read(1, ()) == Const(1)
    assert read("x", ()) == Const("x")
    assert isinstance(read("a ${n}", ()), Text)
    assert isinstance(read(["${n}"], ()), Items)
    assert isinstance(read({"a": 1}, ()), Fields)


@pytest.mark.parametrize(
    ("value", "place", "offset"),
    [
        ("${n +}", ("p",), 5),
        ("ab ${n} ${m", ("p",), 8),
        (["x", "y ${1 1}"], ("p", 1), 6),
        ({"k": {"l": "${first(n)}"}}, ("p", "k", "l"), 2),
    ],
)
def test_a_syntax_error_has_its_place_and_offset(value: Any, place: tuple[Any, ...], offset: int) -> None:
    """The place of the string and the offset in it."""
    with pytest.raises(BadTemplate) as caught:
        read(value, ("p",))
    assert (caught.value.place, caught.value.offset) == (place, offset)


def test_pieces_have_their_offsets() -> None:
    """Each piece of a text and where it begins."""
    assert list(pieces("ab${c}d${e}")) == [("ab", 0, False), ("c", 4, True), ("d", 6, False), ("e", 9, True)]
    assert list(pieces("")) == [("", 0, False)]


def test_needs_are_those_of_all_expressions() -> None:
    """What must be there for a template is what all its parts need."""
    made = read({"a": "${n}", "b": ["x ${first(s, t)}"]}, ())
    assert needs(made).read() == {"n", "s", "t"}
    assert needs(made).met(frozenset("s"))
    assert not needs(made).met(frozenset("n"))
    assert needs(None, made, None) == needs(made)
    assert len(list(expressions(made))) == 2


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("x", STRING),
        ("${n}", INT),
        ("x ${n}", STRING),
        (True, BOOL),
        (1, INT),
        (1.5, FLOAT),
        (None, NULL),
        ([], list_of(ANY)),
        ([1, 2], list_of(INT)),
        ([1, 2.5], list_of(ANY)),
        ([1, "${n}"], list_of(INT)),
        ([{"a": 1}, {"a": None}], list_of(record_of({"a": Type(Kind.INT, optional=True)}))),
        ({"a": [1], "b": "x"}, record_of({"a": list_of(INT), "b": STRING})),
        ({"content-type": "x", "accept": "y"}, Type(Kind.MAP, item=STRING)),
        ({"content-type": "x", "n": 1}, Type(Kind.MAP, item=ANY)),
    ],
)
def test_types(value: Any, kind: Type) -> None:
    """Each piece of YAML has the type of what it will be; keys that no field may have make a map."""
    assert type_of(value, (), lambda _text, _place, _offset: INT) == kind


def test_expressions_are_typed_at_their_offset() -> None:
    """Whoever types an expression is told where it stands."""
    seen = []

    def check(text: str, place: Any, offset: int) -> Type:
        seen.append((text, place, offset))
        return INT

    type_of({"a": ["x ${n} ${s}"]}, ("p",), check)
    assert seen == [("n", ("p", "a", 0), 4), ("s", ("p", "a", 0), 9)]


@pytest.mark.parametrize("number", [1000000.0, 2.0, 2.5, -0.5, 1e-7, 1 / 3, 123456789.123, 1e300, 5, -7, 10**15])
def test_there_is_one_way_to_write_a_number(number: float) -> None:
    """Inside a text it looks as `string()` makes it, and can be read back."""
    inside, joined = read("v=${x}", ()), read("${'v=' + string(x)}", ())
    assert evaluate(inside, {"x": number}) == evaluate(joined, {"x": number})
    assert float(evaluate(inside, {"x": number}).removeprefix("v=")) == number
