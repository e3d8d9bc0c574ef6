"""Whether a new schema can read what an old one wrote."""

from typing import Any

import pytest
from hypothesis import given

from schemas.errors import BadSchema
from schemas.validation import compat
from tests.unit.schemas.strategies import records

AREA = {"type": "record", "name": "n.Area", "fields": [{"name": "x", "type": "long"}]}
WIDE = {"type": "record", "name": "n.Area", "fields": [{"name": "x", "type": "string"}, {"name": "y", "type": "long"}]}
COLOUR = {"type": "enum", "name": "n.Colour", "symbols": ["red", "blue"]}


def record(*fields: Any) -> dict[str, Any]:
    """A record of these fields."""
    return {
        "type": "record",
        "name": "n.R",
        "fields": [{"name": name, "type": kind, **more} for name, kind, more in fields],
    }


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (record(), record(("a", "long", {"default": 1}))),
        (record(("a", "long", {})), record()),
        (record(("a", "int", {})), record(("a", "double", {}))),
        (record(("a", "long", {})), record(("a", ["null", "long"], {}))),
        (record(("a", "long", {"doc": "x", "minimum": 1})), record(("a", "long", {}))),
        (record(("c", COLOUR, {})), record(("c", {**COLOUR, "symbols": ["red", "blue", "green"]}, {}))),
        (record(("u", ["null", AREA], {})), record(("u", ["null", AREA, "string"], {}))),
        (record(("v", "millrace.Value", {})), record(("v", "millrace.Value", {"default": 1}))),
    ],
)
def test_compatible(old: Any, new: Any) -> None:
    """What a schema may do to its successors: add with a default, drop, widen."""
    assert compat.problems(reader=new, writer=old) == []


@pytest.mark.parametrize(
    ("old", "new", "places"),
    [
        (record(), record(("a", "long", {})), ["a: "]),
        (record(("a", "string", {})), record(("a", "long", {})), ["a: "]),
        (record(("a", ["null", "long"], {})), record(("a", "long", {})), ["a: "]),
        (record(("c", COLOUR, {})), record(("c", {**COLOUR, "symbols": ["red"]}, {})), ["c: "]),
        (
            record(("l", {"type": "array", "items": AREA}, {})),
            record(("l", {"type": "array", "items": WIDE}, {})),
            ["l[].x", "l[].y"],
        ),
        (
            record(("m", {"type": "map", "values": AREA}, {})),
            record(("m", {"type": "map", "values": WIDE}, {})),
            ["m{}.x", "m{}.y"],
        ),
        (record(("u", ["null", AREA], {})), record(("u", ["null", WIDE], {})), ["u.x", "u.y"]),
        (record(("u", ["null", AREA], {})), record(("u", ["null", "string"], {})), ["u: "]),
        (record(("a", "long", {})), {"type": "record", "name": "n.Renamed", "fields": []}, [""]),
    ],
)
def test_incompatible(old: Any, new: Any, places: list[str]) -> None:
    """Each change that breaks older records is named with its place."""
    found = compat.problems(reader=new, writer=old)
    assert len(found) == len(places)
    assert all(one.startswith(place) for one, place in zip(found, places, strict=True))


@given(records())
def test_every_schema_reads_its_own_records(pair: tuple[Any, Any]) -> None:
    """A schema is compatible with itself."""
    assert compat.problems(reader=pair[0], writer=pair[0]) == []


def test_bad_schema() -> None:
    """What is no schema is refused as such."""
    with pytest.raises(BadSchema):
        compat.problems(reader={"type": "record", "name": "n.R"}, writer="long")
