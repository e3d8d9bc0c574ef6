"""Avro's binary form."""

import io
import json
import math
from typing import Any

import avro.io
import avro.schema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas import library, value_text
from schemas.encoding import binary
from schemas.errors import BadSchema, Undecodable, Unwritable
from schemas.shapes import AnyShape, Array, Map, Record, RefShape, Shape, Union, branches, shape
from tests.unit.schemas.strategies import records
from tests.unit.schemas.test_value_text import alike

FLOW = library.load("FlowMessage")
RUN = {"id": "r1", "pipeline": "face-blur", "digest": "d", "deadline": 1e9, "shadow_of": "", "straight": False}
TOKEN = {
    "run": RUN,
    "join": "out",
    "at": [3, 0],
    "edge": "blur",
    "status": "value",
    "context": {"values": {"blur": {"faces": [1, 2.5, None]}}, "skipped": ["small"]},
    "failure": None,
    "said": [],
    "executions": 0,
}


@given(records())
def test_round_trip(pair: tuple[Any, Any]) -> None:
    """A value of any schema comes back equal and of the same types."""
    schema, value = pair
    assert alike(binary.read(binary.write(schema, value), schema), value)


@given(records())
def test_another_implementation_reads_what_we_write(pair: tuple[Any, Any]) -> None:
    """Apache's avro reads our bytes with the inlined schema; a generic value is its JSON text to it."""
    schema, value = pair
    parsed = avro.schema.parse(json.dumps(library.inline(schema)))
    decoder = avro.io.BinaryDecoder(io.BytesIO(binary.write(schema, value)))
    assert plain(shape(schema), avro.io.DatumReader(parsed).read(decoder)) == value


@given(records())
def test_we_read_what_another_implementation_writes(pair: tuple[Any, Any]) -> None:
    """What Apache's avro wrote is the same value to us."""
    schema, value = pair
    out = io.BytesIO()
    parsed = avro.schema.parse(json.dumps(library.inline(schema)))
    avro.io.DatumWriter(parsed).write(foreign(shape(schema), value), avro.io.BinaryEncoder(out))
    assert alike(binary.read(out.getvalue(), schema), value)


def plain(of: Shape, value: Any) -> Any:
    """A value as Apache's avro reads it, with generic values as themselves."""
    return convert(of, value, lambda one: value_text.loads(one["json"]))


def foreign(of: Shape, value: Any) -> Any:
    """A value of ours as Apache's avro takes it, with generic values as records of one JSON text."""
    return convert(of, value, lambda one: {"json": value_text.dumps(one)})


def convert(of: Shape, value: Any, change: Any) -> Any:
    """The value with every generic value changed."""
    match of:
        case AnyShape():
            return change(value)
        case RefShape():
            return value
        case Array():
            return [convert(of.items, one, change) for one in value]
        case Map():
            return {key: convert(of.values, one, change) for key, one in value.items()}
        case Union():
            return None if value is None else convert(next(branches(of)), value, change)
        case Record():
            return {field.name: convert(field.shape, value[field.name], change) for field in of.fields}
    return value


def test_values_inside_unions_and_lists() -> None:
    """A generic value is itself wherever it stands: alone, in a list, in a union, named a second time."""
    fields = [
        {"name": "one", "type": "millrace.Value"},
        {"name": "two", "type": ["null", "millrace.Value"]},
        {"name": "many", "type": {"type": "array", "items": ["null", "millrace.Value"]}},
    ]
    schema = {"type": "record", "name": "millrace.V", "fields": fields}
    value = {"one": {"a": 1}, "two": {"a": [None, 2.0]}, "many": ["x", None, {"b": math.inf}]}
    assert alike(binary.read(binary.write(schema, value), schema), value)


def test_tagged_union() -> None:
    """A union of several records is written and read with the record's name; one record beside null needs none."""
    messages: list[tuple[str, dict[str, Any]]] = [
        ("millrace.Token", TOKEN),
        ("millrace.Stop", {"run": "r1", "ending": "cancel", "join": None, "at": []}),
    ]
    for message in messages:
        data = binary.write(FLOW, {"message": message})
        assert binary.read(data, FLOW, tagged=True) == {"message": message}
        assert binary.read(data, FLOW) == {"message": message[1]}
    failed = {**TOKEN, "status": "failed", "failure": {"reason": "x", "fault": "caller", "path": "", "hint": ""}}
    data = binary.write(FLOW, {"message": ("millrace.Token", failed)})
    assert binary.read(data, FLOW, tagged=True)["message"][1]["failure"] == failed["failure"]


def test_resolution() -> None:
    """A newer reader gets its defaults, plainly, a promoted number, and nothing of a field that it does not know."""
    old = {
        "type": "record",
        "name": "n.R",
        "fields": [{"name": "a", "type": "int"}, {"name": "gone", "type": "string"}],
    }
    fields = [
        {"name": "a", "type": "double"},
        {"name": "v", "type": "millrace.Value", "default": {"x": 1}},
        {"name": "w", "type": ["millrace.Value", "null"], "default": "text"},
        {"name": "list", "type": {"type": "array", "items": "long"}, "default": []},
    ]
    new = {"type": "record", "name": "n.R", "fields": fields}
    assert binary.read(binary.write(old, {"a": 1, "gone": "x"}), old, new) == {
        "a": 1.0,
        "v": {"x": 1},
        "w": "text",
        "list": [],
    }
    assert binary.read(binary.write(new, {"a": 1.5}), new) == {"a": 1.5, "v": {"x": 1}, "w": "text", "list": []}


def test_equal_schemas_read_alike() -> None:
    """Schemas that differ only in what no byte shows (docs, bounds, how a name is written) read each other's records."""
    old = {"type": "record", "name": "n.R", "fields": [{"name": "v", "type": "millrace.Value"}]}
    new = {
        "type": "record",
        "name": "R",
        "namespace": "n",
        "doc": "x",
        "fields": [{"name": "v", "type": "millrace.Value", "doc": "y"}],
    }
    assert binary.read(binary.write(old, {"v": [1]}), old, new) == {"v": [1]}


def test_layouts_of_unusual_schemas() -> None:
    """A schema that is written in an unusual way is read with all the same."""
    for kind in ({"type": {"type": "string"}}, {"type": ["null", "string"]}, ["null", {"type": "string", "x": [1]}]):
        old = {"type": "record", "name": "n.R", "fields": [{"name": "a", "type": kind}]}
        new = {"type": "record", "name": "n.R", "fields": [{"name": "a", "type": ["null", "string"]}]}
        assert binary.read(binary.write(old, {"a": "x"}), old, new) == {"a": "x"}


def test_resolution_impossible() -> None:
    """A reader whose schema cannot take the writer's is told so as the bytes' fault."""
    old = {"type": "record", "name": "n.R", "fields": [{"name": "a", "type": "string"}]}
    new = {"type": "record", "name": "n.R", "fields": [{"name": "a", "type": "long"}]}
    with pytest.raises(Undecodable, match=r"n\.R"):
        binary.read(binary.write(old, {"a": "x"}), old, new)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": "1"},
        {"a": 2**63},
        {"a": None},
        {"a": 1, "b": 2},
        [],
        None,
    ],
)
def test_unwritable(value: Any) -> None:
    """A value that is not of the schema is refused: a missing or unknown field, a wrong type, a number too large."""
    with pytest.raises(Unwritable, match=r"n\.R"):
        binary.write({"type": "record", "name": "n.R", "fields": [{"name": "a", "type": "long"}]}, value)


@given(st.binary(max_size=60))
@example(b"")
@example(b"\xff" * 11)
def test_hostile_bytes(data: bytes) -> None:
    """Any bytes either are exactly one record or are Undecodable: nothing else is ever raised."""
    for name in ("Envelope", "FlowMessage", "Event", "DeadLetter"):
        try:
            binary.read(data, library.load(name), tagged=True)
        except Undecodable:
            pass


@given(st.data())
def test_truncated_and_overlong(data: st.DataObject) -> None:
    """A record that was cut off, or that is followed by more, is Undecodable."""
    whole = binary.write(FLOW, {"message": ("millrace.Token", TOKEN)})
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(Undecodable):
        binary.read(whole[:cut], FLOW)
    with pytest.raises(Undecodable, match="3 bytes follow"):
        binary.read(whole + b"abc", FLOW)


def doubling(levels: int) -> dict[str, Any]:
    """A record of records of …: twice as many types at each level, and not one byte."""
    made: dict[str, Any] = {"type": "record", "name": "n.R0", "fields": [{"name": "x", "type": "null"}]}
    for level in range(1, levels):
        fields = [{"name": "a", "type": made}, {"name": "b", "type": f"n.R{level - 1}"}]
        made = {"type": "record", "name": f"n.R{level}", "fields": fields}
    return made


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "record", "name": "n.N", "fields": [{"name": "next", "type": ["null", "N"]}]}, "holds itself"),
        ({"type": "array", "items": "null"}, "one byte"),
        ({"type": "array", "items": {"type": "record", "name": "n.E", "fields": []}}, "one byte"),
        ({"type": "array", "items": {"type": "fixed", "name": "n.F", "size": 0}}, "one byte"),
        (doubling(20), "10000 types"),
    ],
)
def test_dangerous_schemas(schema: Any, message: str) -> None:
    """A schema with which a few bytes overrun the stack, or claim work without end, is refused before it reads any."""
    with pytest.raises(BadSchema, match=message):
        binary.read(b"\x02" * 100_000, schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "record", "name": "n.R"},
        {"type": "record", "fields": []},
        {"type": "array"},
        {"type": "enum", "name": "n.E", "symbols": ["not a symbol"]},
        {"type": "record", "name": "n.R", "fields": [{"name": "a", "type": "long", "default": "x"}]},
        {"type": "unheard-of"},
        {"type": None},
        {},
        7,
    ],
)
def test_bad_schemas(schema: Any) -> None:
    """What is no schema is refused as such, whatever is wrong with it."""
    with pytest.raises(BadSchema):
        binary.check(schema)
