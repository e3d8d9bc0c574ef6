"""The types of the language."""

from typing import Any

import fastavro
import pytest

from schemas.library import inline
from streams.language.types import (
    ANY,
    BOOL,
    BYTES,
    FLOAT,
    IMAGE,
    INT,
    NULL,
    STRING,
    Field,
    Kind,
    Type,
    camel,
    common,
    conversion,
    from_avro,
    list_of,
    mismatch,
    record_of,
    record_schema,
)
from tests.unit.streams.compiling import AREA, FACE

MAYBE = Type(Kind.STRING, optional=True)
TEXTS = Type(Kind.MAP, item=STRING)


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ("int", INT),
        ("long", INT),
        ("float", FLOAT),
        ("double", FLOAT),
        ("boolean", BOOL),
        ("bytes", BYTES),
        ("string", STRING),
        ("null", NULL),
        ("millrace.Ref", IMAGE),
        ("millrace.Value", ANY),
        ("unheard.Of", ANY),
        ({"type": "string"}, STRING),
        ({"type": "enum", "name": "E", "symbols": ["a"]}, STRING),
        ({"type": "array", "items": "int"}, list_of(INT)),
        ({"type": "map", "values": "string"}, TEXTS),
        (["null", "string"], MAYBE),
        (["string", "null"], MAYBE),
        (["null", "int", "string"], ANY),
        (["null", "millrace.Value"], ANY),
        (AREA, Type(Kind.RECORD, fields=tuple(Field(name, INT) for name in ("x", "y", "width", "height")))),
    ],
)
def test_types_of_avro_schemas(schema: Any, kind: Type) -> None:
    """Every Avro schema has a type; what the language cannot say is `any`."""
    assert from_avro(schema) == kind


def test_named_records_are_found_again() -> None:
    """A record that is only named takes the type it was defined with, by its full and its short name."""
    schema = {
        "type": "record",
        "namespace": "test",
        "name": "Both",
        "fields": [
            {"name": "face", "type": FACE},
            {"name": "area", "type": "test.Area"},
            {"name": "more", "type": "Face"},
        ],
    }
    made = from_avro(schema)
    face = made.fields[0].type
    assert made.name == "Both"
    assert face.name == "Face"
    assert made.fields[1].type == face.fields[0].type
    assert made.fields[2].type == face


def test_fields_keep_what_a_contract_says_of_them() -> None:
    """Defaults make a field optional; ranges, words and docs are kept."""
    schema = {
        "type": "record",
        "name": "R",
        "fields": [
            {"name": "a", "type": "double", "default": 0.5, "minimum": 0, "maximum": 1, "doc": "How much"},
            {"name": "b", "type": "string", "enum": ["x", "y"]},
        ],
    }
    assert from_avro(schema).fields == (
        Field("a", FLOAT, 0.5, False, "How much", 0, 1),
        Field("b", STRING, enum=("x", "y")),
    )


def test_record_schemas_are_avro() -> None:
    """What a pipeline takes and gives is a schema that Avro accepts, also where inner names would meet."""
    fields = (
        Field("photo", IMAGE),
        Field("faces", list_of(record_of({"x": INT, "item": record_of({"y": FLOAT})}))),
        Field("faces_item", record_of({"z": BOOL})),
        Field("facesItem", record_of({"z": BOOL})),
        Field("words", Type(Kind.MAP, item=record_of({"w": STRING}))),
        Field("maybe", MAYBE, default=None, required=False, doc="Perhaps"),
        Field("any", ANY),
        Field("level", FLOAT, 0.5, False, "", 0, 1),
        Field("mode", STRING, enum=("a", "b")),
        Field("raw", BYTES),
        Field("nothing", NULL),
    )
    schema = record_schema("Everything", fields, "All of it")
    fastavro.parse_schema(inline(schema))
    assert schema["doc"] == "All of it"
    assert schema["fields"][5] == {"name": "maybe", "type": ["null", "string"], "doc": "Perhaps", "default": None}
    assert schema["fields"][7]["minimum"] == 0
    assert schema["fields"][8]["enum"] == ["a", "b"]
    assert from_avro(schema) == Type(Kind.RECORD, fields=fields)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (INT, "int"),
        (list_of(IMAGE), "[image]"),
        (TEXTS, "{string: string}"),
        (record_of({"a": INT, "b": list_of(BOOL)}), "{a: int, b: [bool]}"),
        (MAYBE, "string or null"),
        (NULL, "null"),
    ],
)
def test_types_are_shown_as_authors_write_them(kind: Type, text: str) -> None:
    """The words of the language."""
    assert str(kind) == text


@pytest.mark.parametrize(
    ("actual", "expected", "problem"),
    [
        (INT, INT, None),
        (INT, FLOAT, None),
        (FLOAT, INT, "float is given, int is expected"),
        (ANY, INT, None),
        (INT, ANY, None),
        (NULL, MAYBE, None),
        (NULL, STRING, "null is given, string is expected"),
        (STRING, MAYBE, None),
        (list_of(INT), list_of(FLOAT), None),
        (list_of(STRING), list_of(INT), "[]: string is given, int is expected"),
        (list_of(INT), INT, "[int] is given, int is expected"),
        (INT, list_of(INT), "int is given, [int] is expected"),
        (TEXTS, record_of({"a": INT}), None),
        (TEXTS, IMAGE, None),
        (record_of({"a": STRING, "b-c": STRING}), TEXTS, None),
        (record_of({"a": INT}), TEXTS, "a: int is given, string is expected"),
        (record_of({"a": INT}), record_of({"a": FLOAT}), None),
        (record_of({}), record_of({"a": INT}), "a is missing: {} is given, {a: int} is expected"),
        (
            record_of({"a": INT, "b": INT}),
            record_of({"a": INT}),
            "b is too much: {a: int, b: int} is given, {a: int} is expected",
        ),
        (
            record_of({"a": record_of({"b": STRING})}),
            record_of({"a": record_of({"b": INT})}),
            "a.b: string is given, int is expected",
        ),
        (record_of({}), Type(Kind.RECORD, fields=(Field("a", INT, 1, required=False),)), None),
    ],
)
def test_a_mismatch_names_both_types_and_the_place(actual: Type, expected: Type, problem: str | None) -> None:
    """What cannot be given says what is given, what is expected, and where inside."""
    assert mismatch(actual, expected) == problem


@pytest.mark.parametrize("wrap", [lambda kind: kind, list_of, lambda kind: record_of({"a": kind})])
def test_an_int_is_no_float_where_nothing_converts_it(wrap: Any) -> None:
    """Exactly, an int is not a float, however deep inside."""
    assert mismatch(wrap(INT), wrap(FLOAT)) is None
    assert mismatch(wrap(INT), wrap(FLOAT), exact=True) is not None
    assert mismatch(wrap(INT), wrap(INT), exact=True) is None


@pytest.mark.parametrize(
    ("left", "right", "both"),
    [
        (INT, INT, INT),
        (INT, FLOAT, None),
        (INT, STRING, None),
        (INT, ANY, ANY),
        (NULL, STRING, MAYBE),
        (MAYBE, STRING, None),
        (list_of(INT), list_of(INT), list_of(INT)),
        (list_of(INT), list_of(ANY), list_of(ANY)),
        (list_of(INT), list_of(STRING), None),
        (list_of(INT), INT, None),
        (record_of({"a": NULL}), record_of({"a": STRING}), record_of({"a": MAYBE})),
        (record_of({"a": INT}), record_of({"b": INT}), None),
        (record_of({"a": INT}), record_of({"a": STRING}), None),
    ],
)
def test_both_sides_of_a_choice(left: Type, right: Type, both: Type | None) -> None:
    """Two sides have a type when one says what both are."""
    assert common(left, right) == both
    assert common(right, left) == both


@pytest.mark.parametrize(
    ("actual", "expected", "hint"),
    [
        (FLOAT, INT, "int(x)"),
        (INT, FLOAT, "double(x)"),
        (INT, STRING, "string(x)"),
        (BOOL, STRING, "string(x)"),
        (INT, list_of(INT), "[x]"),
        (IMAGE, INT, ""),
    ],
)
def test_conversions_are_suggested(actual: Type, expected: Type, hint: str) -> None:
    """Where a function or a literal helps, it is named."""
    assert hint in conversion(actual, expected)
    assert bool(hint) == bool(conversion(actual, expected))


def test_camel() -> None:
    """Names of pipelines become names that Avro allows."""
    assert camel("blur-women") == "BlurWomen"
    assert camel("a_b-c") == "ABC"
