"""Avro schemas as frozen values."""

import pytest

from schemas.errors import BadSchema, UnknownName
from schemas.primitives import DOUBLE, LONG, NULL, STRING
from schemas.shapes import (
    AnyShape,
    Array,
    Enum,
    Field,
    Fixed,
    Map,
    Record,
    RefShape,
    Union,
    record_shape,
    shape,
)


def test_kinds() -> None:
    """Every kind of Avro type has its shape, and the shared Ref and Value have their own."""
    assert shape("long") == LONG
    assert shape({"type": "string"}) == STRING
    assert shape({"type": "array", "items": "millrace.Ref"}) == Array(RefShape())
    assert shape({"type": "map", "values": "millrace.Value"}) == Map(AnyShape())
    assert shape({"type": "enum", "name": "n.E", "symbols": ["a", "b"]}) == Enum("n.E", ("a", "b"))
    assert shape({"type": "fixed", "name": "n.F", "size": 4}) == Fixed("n.F", 4)
    optional = shape(["null", "long"])
    assert optional == Union((NULL, LONG))
    assert isinstance(optional, Union)
    assert optional.optional


def test_fields() -> None:
    """A field carries its doc, its default and its bounds, whether these stand on the field or in its type's object."""
    schema = {
        "type": "record",
        "name": "millrace.In",
        "fields": [
            {"name": "a", "type": "double", "doc": "Strength.", "default": 0.8, "minimum": 0, "maximum": 1},
            {"name": "b", "type": {"type": "string", "enum": ["x", "y"]}},
            {"name": "c", "type": "millrace.Value", "default": {"json": "[1]"}},
        ],
    }
    a, b, c = record_shape(schema).fields
    assert a == Field("a", DOUBLE, "Strength.", required=False, default=0.8, minimum=0, maximum=1)
    assert b.enum == ("x", "y")
    assert b.required
    assert c.default == [1]


def test_names_inside_a_schema() -> None:
    """A record is meant again by its short or its full name, and may even hold itself."""
    node = {"type": "record", "name": "n.Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}
    made = record_shape(node)
    next_one = made.fields[0].shape
    assert isinstance(next_one, Union)
    assert next_one.branches[1] is made


def test_remembered() -> None:
    """The same schema object gives the same shape object, without being read again."""
    schema = {"type": "array", "items": "long"}
    assert shape(schema) is shape(schema)


def test_refused() -> None:
    """What is no schema, no record where one must be, or an unknown name is refused."""
    with pytest.raises(BadSchema):
        shape({"items": "long"})
    with pytest.raises(BadSchema, match="record"):
        record_shape("long")
    with pytest.raises(UnknownName):
        shape({"type": "array", "items": "Unknown"})
    assert Record("a.B").field("x") is None
