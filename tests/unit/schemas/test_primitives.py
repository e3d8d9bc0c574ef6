"""One row a primitive: whatever reads the table knows every one of them."""

import fastavro
import pytest
from cel_expr_python import cel

from schemas.encoding.binary import read, write
from schemas.encoding.json_schema import json_schema
from schemas.encoding.render import to_json
from schemas.primitives import NULL, PRIMITIVES, ROWS, Primitive
from schemas.shapes import shape
from schemas.validation.conform import conform
from schemas.validation.words import describe
from streams.language.expressions.descriptors import Descriptors
from streams.language.types import WORDS, Field, Kind, Type, from_avro, record_schema
from streams.service.avro import avro
from streams.service.contract import Record
from streams.testing.cases.fill import filled
from streams.testing.cases.pictures import Pictures

each_primitive = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def holding(row: Primitive) -> dict[str, object]:
    """A record with one field of the type."""
    return {"type": "record", "name": "n.R", "fields": [{"name": "a", "type": row.name}]}


def test_the_table_is_avros() -> None:
    """The names are those that Avro has."""
    assert PRIMITIVES.keys() == fastavro._schema_common.PRIMITIVES


@each_primitive
def test_schemas_know_it(row: Primitive) -> None:
    """Its empty value passes its check, Avro's bytes (of at least as many as the row says), JSON and JSON Schema."""
    assert shape(row.name) == row
    assert describe(row) == row.words
    value = {"a": row.empty}
    assert conform(holding(row), value) == value
    data = write(holding(row), value)
    assert len(data) == row.least
    assert read(data, holding(row)) == value
    rendered = to_json(holding(row), value)
    assert conform(holding(row), rendered) == value
    assert json_schema(row.name) == row.json_schema


@each_primitive
def test_a_mock_can_leave_it_out(row: Primitive) -> None:
    """A test of a pipeline need not say a value of it."""
    assert filled(shape(holding(row)), {}, "mock", Pictures(None)) == {"a": row.empty}


@each_primitive
def test_the_language_knows_it(row: Primitive) -> None:
    """It has a kind, comes back from Avro as that kind, and its word can be written unless the row says otherwise."""
    kind = Type(Kind(row.word))
    assert from_avro(row.name) == kind
    assert (WORDS.get(row.word) == kind) is row.written
    (field,) = record_schema("R", (Field("a", kind),))["fields"]
    assert from_avro(field["type"]) == kind


@each_primitive
def test_expressions_know_it(row: Primitive) -> None:
    """CEL has a type for it, alone and as a field, and that type leads back to it."""
    descriptors, kind = Descriptors(), Type(Kind(row.word))
    assert descriptors.our_type(row.cel) == kind
    if row is not NULL:
        assert descriptors.cel_type(kind) == getattr(cel.Type, row.cel)
        assert descriptors.cel_type(Type(kind.kind, optional=True)) != cel.Type.DYN


@pytest.mark.parametrize("row", {row.python: row for row in ROWS if row is not NULL}.values(), ids=lambda row: row.name)
def test_a_contract_can_say_it(row: Primitive) -> None:
    """A service's record may hold its Python class."""
    record = type("R", (Record,), {"__annotations__": {"a": row.python}, "__module__": __name__})
    assert avro(record, "R", "")["fields"] == [{"name": "a", "type": row.name}]
