"""What a mock leaves out."""

from typing import Any

from schemas.encoding.codec import conform
from schemas.shapes import shape
from streams.testing.cases.fill import filled
from streams.testing.cases.pictures import Pictures

FIELDS: list[dict[str, Any]] = [
    {"name": "text", "type": "string"},
    {"name": "word", "type": "string", "enum": ["b", "c"]},
    {"name": "size", "type": "long", "minimum": 3},
    {"name": "below", "type": "double", "maximum": -1},
    {"name": "flag", "type": "boolean"},
    {"name": "list", "type": {"type": "array", "items": "long"}},
    {"name": "map", "type": {"type": "map", "values": "long"}},
    {"name": "maybe", "type": ["null", "long"]},
    {"name": "either", "type": ["long", "string"]},
    {"name": "image", "type": "millrace.Ref"},
    {"name": "any", "type": "millrace.Value"},
    {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["x", "y"]}},
    {"name": "default", "type": "long", "default": 9},
]
INNER = {"type": "record", "name": "Inner", "fields": FIELDS}
OUTER = {
    "type": "record",
    "name": "Outer",
    "fields": [{"name": "one", "type": INNER}, {"name": "more", "type": {"type": "array", "items": "Inner"}}],
}


def test_filled_records_conform() -> None:
    """At any depth, in lists too, the record is one of the contract; what is given stays."""
    made = conform(OUTER, filled(shape(OUTER), {"more": [{"text": "given"}, {}]}, "node", Pictures(None)))
    assert made["more"][0]["text"] == "given"
    one = made["one"]
    image = one.pop("image")
    assert image["media_type"] == "image/png"
    assert one == {
        "text": "",
        "word": "b",
        "size": 3,
        "below": -1,
        "flag": False,
        "list": [],
        "map": {},
        "maybe": None,
        "either": 0,
        "any": None,
        "kind": "x",
        "default": 9,
    }


def test_pictures_that_are_made_up_have_names_of_their_own() -> None:
    """Two pictures that nobody gave are two pictures, called by their places."""
    pictures = Pictures(None)
    made = filled(shape(OUTER), {"more": [{}, {}]}, "node", pictures)
    assert made["more"][0]["image"] != made["more"][1]["image"]
    assert pictures.names[made["more"][1]["image"]["sha256"]] == "image:node.more[1].image"
