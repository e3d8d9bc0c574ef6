"""References to objects, and finding them."""

from typing import Any

import pytest
from hypothesis import given

from schemas.refs import Ref, holds_refs, is_ref, replace, walk
from schemas.shapes import shape
from tests.unit.schemas.strategies import records


def ref(number: int) -> Ref:
    """A ref that differs from others by its number."""
    return Ref("millrace", f"runs/r/{number}", number, f"{number:064x}", "image/png")


AREA = {"type": "record", "name": "millrace.Area", "fields": [{"name": "x", "type": "long"}]}
SCHEMA = {
    "type": "record",
    "name": "millrace.Everything",
    "fields": [
        {"name": "image", "type": "millrace.Ref"},
        {"name": "area", "type": AREA},
        {"name": "images", "type": {"type": "array", "items": "millrace.Ref"}},
        {"name": "named", "type": {"type": "map", "values": ["null", "millrace.Ref"]}},
        {"name": "perhaps", "type": ["null", {"type": "array", "items": ["null", "millrace.Ref"]}]},
        {"name": "either", "type": ["string", "millrace.Area", "millrace.Ref"]},
        {"name": "any", "type": "millrace.Value"},
    ],
}
RECORD: dict[str, Any] = {
    "image": ref(1).to_dict(),
    "area": {"x": 1},
    "images": [ref(2).to_dict(), ref(3).to_dict()],
    "named": {"a": ref(4).to_dict(), "b": None},
    "perhaps": [None, ref(5).to_dict()],
    "either": ref(6).to_dict(),
    "any": {"deep": [{"er": ref(7).to_dict()}, 1, None]},
}
PATHS = ["image", "images[0]", "images[1]", "named.a", "perhaps[1]", "either", "any.deep[0].er"]


def test_walk_finds_every_ref_with_its_path() -> None:
    """Refs are found in fields, lists, maps, unions and generic values, in order, each with its path."""
    assert list(walk(SCHEMA, RECORD)) == [(path, ref(number)) for number, path in enumerate(PATHS, 1)]


def test_walk_without_schema() -> None:
    """Without a schema every mapping with the five fields counts."""
    assert [path for path, _ in walk(None, RECORD)] == PATHS
    assert [path for path, _ in walk(None, [ref(1).to_dict()])] == ["[0]"]


def test_replace() -> None:
    """Every ref is replaced, by another ref or by anything; the record that was given stays as it was."""
    moved = replace(SCHEMA, RECORD, lambda one: Ref("other", one.key, one.size, one.sha256, one.media_type))
    assert [one.bucket for _, one in walk(SCHEMA, moved)] == ["other"] * len(PATHS)
    assert [one.bucket for _, one in walk(SCHEMA, RECORD)] == ["millrace"] * len(PATHS)
    assert replace(SCHEMA, RECORD, lambda one: one.size)["any"]["deep"][0]["er"] == 7
    assert moved["area"] == RECORD["area"]


@given(records())
def test_replace_by_itself_changes_nothing(pair: tuple[Any, Any]) -> None:
    """Replacing each ref by itself gives an equal record, with the schema and without."""
    schema, value = pair
    assert replace(schema, value, lambda one: one) == value
    assert replace(None, value, lambda one: one) == value


@given(records())
def test_schema_without_refs(pair: tuple[Any, Any]) -> None:
    """A schema that cannot hold a ref gives none."""
    schema, value = pair
    if not holds_refs(shape(schema)):
        assert list(walk(schema, value)) == []


@pytest.mark.parametrize(
    "value",
    [
        None,
        "ref",
        {},
        {**ref(1).to_dict(), "extra": 1},
        {**ref(1).to_dict(), "size": "1"},
        {**ref(1).to_dict(), "size": True},
        {key: value for key, value in ref(1).to_dict().items() if key != "sha256"},
    ],
)
def test_a_mapping_of_other_fields_is_no_ref(value: Any) -> None:
    """A mapping with other fields, or fields of other types, is no ref, and making one of it says so."""
    assert not is_ref(value)
    with pytest.raises(ValueError, match="reference"):
        Ref.from_dict(value)


def test_ref_round_trip() -> None:
    """A ref and its mapping form stand for each other."""
    assert is_ref(ref(1).to_dict())
    assert Ref.from_dict(ref(1).to_dict()) == ref(1)
