"""Schemas for the documentation of the API, and values as clients see them."""

import json
import math
from typing import Any

import jsonschema
import pytest
from hypothesis import given

from schemas.encoding.json_schema import json_schema
from schemas.encoding.render import any_to_json, to_json
from schemas.errors import Nonconforming
from schemas.refs import Ref
from schemas.validation.conform import conform
from tests.unit.schemas.strategies import records
from tests.unit.schemas.validation.test_conform import LEAST, REF, SCHEMA


def test_a_record() -> None:
    """Docs, bounds and defaults stay; what has a default is not required of a request, but of an output all is there."""
    fields = [
        {"name": "digits", "type": {"type": "array", "items": "long"}, "minimum": 0, "maximum": 9, "doc": "Which."},
        {"name": "fit", "type": ["null", "string"], "default": None, "enum": ["contain", "cover"]},
        {"name": "image", "type": "millrace.Ref", "doc": "The photo."},
    ]
    schema = {"type": "record", "name": "millrace.In", "doc": "What goes in.", "fields": fields}
    image = {"$ref": "#/components/schemas/Image"}
    assert json_schema(schema, ref=image) == {
        "title": "In",
        "type": "object",
        "description": "What goes in.",
        "properties": {
            "digits": {
                "type": "array",
                "items": {"type": "integer", "format": "int64", "minimum": 0, "maximum": 9},
                "description": "Which.",
            },
            "fit": {"anyOf": [{"type": "null"}, {"type": "string", "enum": ["contain", "cover"]}], "default": None},
            "image": {"allOf": [image], "description": "The photo."},
        },
        "required": ["digits", "image"],
        "additionalProperties": False,
    }
    output = json_schema(schema, output=True)
    assert output["required"] == ["digits", "fit", "image"]
    assert output["properties"]["image"]["title"] == "Image"
    assert "default" not in output["properties"]["fit"]


@given(records())
def test_documented_as_it_is(pair: tuple[Any, Any]) -> None:
    """What `to_json` gives of a value is valid JSON and conforms to the documented schema."""
    schema, value = pair
    shown = json.loads(json.dumps(to_json(schema, value), allow_nan=False))
    documented = json_schema(schema, output=True)
    jsonschema.Draft202012Validator.check_schema(documented)
    jsonschema.Draft202012Validator(documented).validate(shown)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {**LEAST, "strength": 2},
        {**LEAST, "fit": "covr"},
        {**LEAST, "digits": [10]},
        {**LEAST, "areas": [{"x": -1, "y": 0, "width": 0, "height": 0}]},
        {**LEAST, "width": "1"},
        {**LEAST, "unknown": 1},
        {**LEAST, "colour": "green"},
    ],
)
def test_the_documented_schema_refuses_the_same(value: dict[str, Any]) -> None:
    """A request that is refused would have been refused by the documented schema too."""
    with pytest.raises(Nonconforming):
        conform(SCHEMA, value)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, json_schema(SCHEMA))


def test_forms_of_values() -> None:
    """Bytes are shown in base64, a number that JSON cannot say as null, and a ref in the form that the caller wants."""
    shown = to_json(
        SCHEMA, {**conform(SCHEMA, LEAST), "strength": math.nan}, ref=lambda one: {"href": f"/objects/{one.key}"}
    )
    assert shown["raw"] == "/w=="
    assert shown["strength"] is None
    assert shown["image"] == {"href": "/objects/runs/r/a"}


def test_forms_of_generic_values() -> None:
    """A generic value is shown the same way, with every mapping that is a ref as a ref."""
    value = {"a": [REF.to_dict(), math.inf], "b": (1, b"x", None)}
    assert any_to_json(value, ref=lambda one: one.size) == {"a": [3, None], "b": [1, "eA==", None]}
    assert any_to_json(REF.to_dict()) == REF.to_dict()


def test_forms_in_unions() -> None:
    """A value in a union of several types is shown as what it is."""
    schema = {
        "type": "record",
        "name": "n.U",
        "fields": [{"name": "u", "type": ["null", "bytes", "double", "millrace.Ref"]}],
    }
    for value, shown in ((None, None), (b"x", "eA=="), (math.inf, None), (REF.to_dict(), 3)):
        assert to_json(schema, {"u": value}, ref=size) == {"u": shown}


def size(ref: Ref) -> int:
    """A form of a ref."""
    return ref.size
