"""What a pipeline takes."""

import pytest

from streams.language.definition.parse import parse
from streams.language.types import ANY, BOOL, FLOAT, IMAGE, INT, STRING, Field, Type, list_of, record_of


def only(text: str) -> Field:
    """The one input of a pipeline."""
    spec = parse(f"pipeline: p\ninput: {{x: {text}}}\noutput: {{r: 1}}\n", "f.yaml")
    assert spec.problems == ()
    (field,) = spec.inputs
    return field


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("string", STRING),
        ("int", INT),
        ("float", FLOAT),
        ("bool", BOOL),
        ("image", IMAGE),
        ("any", ANY),
        ("[int]", list_of(INT)),
        ("[[image]]", list_of(list_of(IMAGE))),
        ("{a: int, b: [float]}", record_of({"a": INT, "b": list_of(FLOAT)})),
        ("{type: int}", INT),
        ("{type: [int]}", list_of(INT)),
        ("{type: {type: int}}", record_of({"type": INT})),
        ("{type: string, other: int}", record_of({"type": STRING, "other": INT})),
    ],
)
def test_types(text: str, kind: Type) -> None:
    """A word, a list of one type, a record of types, or the long form around any of them."""
    assert only(text).type == kind


def test_the_long_form_says_more() -> None:
    """A default makes an input optional; ranges and a summary travel with it."""
    field = only("{type: float, default: 1, minimum: 0, maximum: 2, summary: How much}")
    assert field == Field("x", FLOAT, 1.0, False, "How much", 0, 2)
    assert isinstance(field.default, float)
    assert only("{type: [float], default: [1, 2.5]}").default == [1.0, 2.5]
    assert only("{type: string, enum: [a, b], default: b}").enum == ("a", "b")
    assert only("{type: [int], minimum: 3}").minimum == 3
    assert only("{type: any, default: null}").required is False
    assert only("int").required is True
