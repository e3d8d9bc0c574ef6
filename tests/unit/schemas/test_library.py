"""The checked-in records."""

import json

import avro.schema
import pytest

from schemas import library
from schemas.encoding import binary
from schemas.errors import BadSchema, UnknownName


@pytest.mark.parametrize("name", library.names())
def test_every_file_is_a_documented_named_type(name: str) -> None:
    """Each file holds one type of our namespace, named as the file, and every field says what it is."""
    schema = library.load(name)
    assert (schema["namespace"], schema["name"]) == ("millrace", name)
    assert schema["doc"]
    assert all(field.get("doc") for field in schema.get("fields", []))


@pytest.mark.parametrize("name", library.names())
def test_both_implementations_take_every_file(name: str) -> None:
    """Fastavro and Apache's avro both take each schema by itself."""
    binary.check(library.load(name))
    avro.schema.parse(json.dumps(library.load(name)))


def test_inline_defines_once_and_then_names() -> None:
    """A shared record is defined where it is first named; later uses name it, as Avro demands."""
    fields = [{"name": name, "type": ["null", "millrace.Ref"]} for name in ("a", "b")]
    inlined = library.inline({"type": "record", "name": "millrace.Two", "fields": fields})
    assert inlined["fields"][0]["type"][1]["name"] == "Ref"
    assert inlined["fields"][1]["type"][1] == "millrace.Ref"


def test_inline_takes_plain_defaults_of_values() -> None:
    """The default of a generic value may be written plainly; what leaves is what Avro demands of a record's default."""
    schema = {"type": "record", "name": "V", "fields": [{"name": "v", "type": "millrace.Value", "default": [1, "x"]}]}
    assert library.inline(schema)["fields"][0]["default"] == {"json": '[1,"x"]'}


def test_a_name_in_the_own_namespace_wins() -> None:
    """A record that a schema defines itself is meant by its short name inside that schema."""
    area = {"type": "record", "name": "Area", "fields": [{"name": "x", "type": "long"}]}
    fields = [{"name": "a", "type": area}, {"name": "b", "type": "Area"}]
    inlined = library.inline({"type": "record", "name": "millrace.x.In", "fields": fields})
    assert inlined["fields"][1]["type"] == "millrace.x.Area"


def test_unknown_name() -> None:
    """A type that nothing defines is named, with what there is."""
    with pytest.raises(UnknownName, match=r"'millrace.Reff'.*Ref"):
        library.inline({"type": "array", "items": "millrace.Reff"})
    with pytest.raises(UnknownName, match="Nothing"):
        library.load("Nothing")


def test_not_a_schema() -> None:
    """What is no schema at all is refused."""
    with pytest.raises(BadSchema):
        library.inline(7)


COUNTRY = {"type": "enum", "name": "Country", "namespace": "shop", "symbols": ["BE", "FR"]}
ADDRESS = {
    "type": "record",
    "name": "shop.Address",
    "fields": [{"name": "in", "type": COUNTRY}, {"name": "by", "type": {"type": "map", "values": "millrace.Ref"}}],
}


def test_types_of_other_schemas_are_defined_where_they_are_first_named() -> None:
    """One that stands inside another is defined once, whichever of them is named first, and the whole stands alone."""
    others = library.definitions([ADDRESS])
    assert set(others) == {"shop.Address", "shop.Country"}
    for order in (["Address", "shop.Country"], ["Country", "shop.Address"]):
        fields = [{"name": f"f{number}", "type": name} for number, name in enumerate(order)]
        whole = library.inline({"type": "record", "name": "shop.Order", "fields": fields}, others)
        avro.schema.parse(json.dumps(whole))
        binary.check(whole)
        assert json.dumps(whole).count('"BE"') == 1
    with pytest.raises(UnknownName, match=r"shop\.Street"):
        library.inline({"type": "array", "items": "shop.Street"}, others)
