"""Values checked against a schema."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.encoding.render import to_json
from schemas.errors import BadSchema, Nonconforming, Problem
from schemas.inspection import MOST
from schemas.refs import Ref
from schemas.validation.conform import conform, parse_json
from tests.unit.schemas.strategies import VALUES, records

REF = Ref("millrace", "runs/r/a", 3, "a" * 64, "image/png")
AREA = {
    "type": "record",
    "name": "millrace.Area",
    "fields": [{"name": name, "type": "long", "minimum": 0} for name in ("x", "y", "width", "height")],
}
SCHEMA = {
    "type": "record",
    "name": "millrace.BlurInput",
    "fields": [
        {"name": "image", "type": "millrace.Ref"},
        {"name": "areas", "type": {"type": "array", "items": AREA}, "default": []},
        {"name": "strength", "type": "double", "default": 0.8, "minimum": 0, "maximum": 1},
        {"name": "fit", "type": "string", "default": "contain", "enum": ["contain", "cover", "stretch"]},
        {"name": "width", "type": ["null", "int"], "default": None},
        {"name": "digits", "type": {"type": "array", "items": "long"}, "default": [], "minimum": 0, "maximum": 9},
        {"name": "extra", "type": "millrace.Value", "default": {"a": 1}},
        {"name": "upright", "type": "boolean", "default": True},
        {"name": "raw", "type": "bytes", "default": "\u00ff"},
        {
            "name": "colour",
            "type": {"type": "enum", "name": "millrace.Colour", "symbols": ["red", "blue"]},
            "default": "red",
        },
    ],
}
LEAST = {"image": REF.to_dict()}


def problems(value: Any, schema: Any = SCHEMA) -> list[Problem]:
    """What is wrong with a value."""
    with pytest.raises(Nonconforming) as caught:
        conform(schema, value)
    return caught.value.problems


def test_defaults_are_filled_in() -> None:
    """What is missing gets its default, as the value it stands for."""
    assert conform(SCHEMA, LEAST) == {
        "image": REF.to_dict(),
        "areas": [],
        "strength": 0.8,
        "fit": "contain",
        "width": None,
        "digits": [],
        "extra": {"a": 1},
        "upright": True,
        "raw": b"\xff",
        "colour": "red",
    }


def test_defaults_are_not_shared() -> None:
    """A default that a caller changes is whole again for the next one, and the value given is never changed."""
    conform(SCHEMA, LEAST)["areas"].append(1)
    assert conform(SCHEMA, LEAST)["areas"] == []
    assert {"image": REF.to_dict()} == LEAST


def test_numbers() -> None:
    """A whole number is taken where a float is wanted and 3.0 where a whole one is, each as the right type."""
    made = conform(SCHEMA, {**LEAST, "strength": 1, "areas": [{"x": 3.0, "y": 0, "width": 1, "height": 1}]})
    assert isinstance(made["strength"], float)
    assert isinstance(made["areas"][0]["x"], int)


def test_every_problem_at_once() -> None:
    """All problems are reported, each with its place, what was found and what to do."""
    value = {
        "image": "photo.jpg",
        "areas": [{"x": -1, "y": "2", "width": 3.5, "hieght": 4}],
        "strenght": 1,
        "strength": 3,
        "fit": "covr",
        "width": 2**40,
        "digits": [1, 12],
        "upright": "True",
        "colour": "reed",
    }
    found = {one.where: one for one in problems(value)}
    assert set(found) == {
        "image",
        "areas[0].x",
        "areas[0].y",
        "areas[0].width",
        "areas[0].height",
        "areas[0].hieght",
        "strenght",
        "strength",
        "fit",
        "width",
        "digits[1]",
        "upright",
        "colour",
    }
    assert found["areas[0].x"].problem == "must be at least 0, got -1"
    assert found["areas[0].y"] == Problem(
        "areas[0].y", "expected a whole number, got the text '2'", "write 2 without quotes"
    )
    assert found["areas[0].height"].problem == "is missing"
    assert found["areas[0].hieght"].hint == "did you mean 'height'?"
    assert found["strenght"].hint == "did you mean 'strength'?"
    assert found["strength"].problem == "must be at most 1, got 3.0"
    assert found["fit"].hint == "did you mean 'cover'?"
    assert found["colour"].hint == "did you mean 'red'?"
    assert found["upright"].hint == "write true without quotes"
    assert "ref with bucket" in found["image"].problem


@pytest.mark.parametrize(
    ("value", "where", "words"),
    [
        (None, "", "expected an object"),
        ([], "", "expected an object"),
        ({}, "image", "is missing"),
        ({**LEAST, "strength": True}, "strength", "got true"),
        ({**LEAST, "strength": None}, "strength", "leave it out"),
        ({**LEAST, "strength": math.nan}, "strength", "finite"),
        ({**LEAST, "strength": 10**400}, "strength", "huge"),
        ({**LEAST, "areas": {"x": 1}}, "areas", "put it in a list"),
        ({**LEAST, "raw": "***"}, "raw", "base64"),
        ({**LEAST, "fit": "\ud800"}, "fit", "surrogate"),
        ({**LEAST, "extra": {"a": [math.inf]}}, "extra.a[0]", "finite"),
        ({**LEAST, "extra": [2**63]}, "extra[0]", "64 bits"),
        ({**LEAST, "extra": {1: 2}}, "extra", "JSON"),
        ({**LEAST, "extra": object()}, "extra", "JSON"),
        ({"image": {"bucket": "b"}}, "image.key", "is missing"),
        ({"image": {**REF.to_dict(), "size": -1}}, "image.size", "at least 0"),
        ({"image": {"ref": {}}}, "image.ref.bucket", "is missing"),
    ],
)
def test_each_problem(value: Any, where: str, words: str) -> None:
    """Each kind of mistake is said at its place, in words that fit it."""
    found = next(one for one in problems(value) if one.where == where)
    assert words in str(found)


@pytest.mark.parametrize(
    "many", [{"areas": [1] * 100_000}, {"digits": [11] * 100_000}, {f"a{number}": 1 for number in range(100_000)}]
)
def test_of_very_many_problems_the_first_are_listed(many: dict[str, Any]) -> None:
    """The answer to a list of a million wrong things is not a hundred times as large as the list, and says so."""
    found = problems({**LEAST, **many})
    assert len(found) == MOST + 1
    assert found[0].where in {"areas[0]", "digits[0]", "a0"}
    assert (found[-1].where, "more" in found[-1].problem) == ("", True)
    exactly = problems({**LEAST, "areas": [1] * MOST})
    assert len(exactly) == MOST
    assert all(one.where for one in exactly)
    several = [{"type": "array", "items": "long"}, {"type": "array", "items": "string"}]
    assert conform(several, ["a"] * 1000) == ["a"] * 1000  # what is wrong with one of several types ends no look


def test_deep_values_are_refused() -> None:
    """A generic value that is nested without end is refused instead of overrunning the stack of whoever reads it."""
    value: Any = 1
    for _ in range(500):
        value = [value]
    assert "nested more than 64" in problems({**LEAST, "extra": value})[0].problem


def test_unions_of_several_types() -> None:
    """A union takes the first branch that fits; a record that nearly fits gets its own problems."""
    schema = {
        "type": "record",
        "name": "n.U",
        "fields": [{"name": "u", "type": ["null", "long", "string", AREA]}],
    }
    area = {"x": 1, "y": 2, "width": 3, "height": 4}
    for value in (None, 3, "x", area):
        assert conform(schema, {"u": value}) == {"u": value}
    assert [one.where for one in problems({"u": {**area, "x": "1"}}, schema)] == ["u.x"]
    assert "a whole number or a text" in problems({"u": []}, schema)[0].problem


def test_refs() -> None:
    """A ref is taken as a Ref, as its mapping, and as outputs show it."""
    for form in (REF, REF.to_dict(), {"ref": REF.to_dict(), "href": "/objects/…"}):
        assert conform(SCHEMA, {"image": form})["image"] == REF.to_dict()


def test_image_hook() -> None:
    """What stands in an image's place and is no object goes to the hook with its path; its refusal is a problem there."""
    seen = []

    def image(where: str, value: Any) -> dict[str, Any]:
        seen.append((where, value))
        if value == "bad":
            raise ValueError("not a data URL")
        return REF.to_dict()

    assert conform(SCHEMA, {"image": "data:…"}, image=image)["image"] == REF.to_dict()
    assert seen == [("image", "data:…")]
    with pytest.raises(Nonconforming, match="image: not a data URL"):
        conform(SCHEMA, {"image": "bad"}, image=image)


@given(records())
def test_a_conforming_value_is_left_as_it_is(pair: tuple[Any, Any]) -> None:
    """A value of the schema conforms, and is the same after it."""
    schema, value = pair
    assert conform(schema, value) == value


@given(records())
def test_json_and_back(pair: tuple[Any, Any]) -> None:
    """A value shown as JSON text conforms to its schema again and is the same value."""
    schema, value = pair
    assert conform(schema, json.loads(json.dumps(to_json(schema, value)))) == value


@given(records(), VALUES)
def test_any_json_gets_an_answer(pair: tuple[Any, Any], value: Any) -> None:
    """Any JSON value either conforms or gets problems: nothing else is ever raised."""
    try:
        conform(pair[0], value)
    except Nonconforming:
        pass


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'{"image": ', "line 1, column"),
        (b'["\xff"]', "UTF-8"),
        (b"[NaN]", "NaN is not a JSON number"),
        (b"", "not JSON"),
        (b"[" * 100_000, "more than 64 levels"),
        (b"1" * 5000, "not JSON"),
    ],
)
def test_text_that_is_not_json(text: bytes, words: str) -> None:
    """Text that is not JSON is refused with where it breaks off."""
    with pytest.raises(Nonconforming, match=words):
        parse_json(text)


@given(st.binary(max_size=30))
def test_any_text_gets_an_answer(data: bytes) -> None:
    """Any bytes are JSON or are refused: nothing else is ever raised."""
    try:
        parse_json(data)
    except Nonconforming:
        pass


def test_a_wrong_default_is_the_schemas_fault() -> None:
    """A schema whose default is not of its own type is refused, whatever the value."""
    with pytest.raises(BadSchema, match="a: expected a whole number"):
        conform({"type": "record", "name": "n.R", "fields": [{"name": "a", "type": "long", "default": "x"}]}, {})
