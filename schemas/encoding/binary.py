"""Avro's binary form: one record to bytes and back, with fastavro."""

import json
from functools import cache
from io import BytesIO
from typing import Any

import fastavro
import fastavro.read
import fastavro.write
from fastavro.types import Schema

from schemas import value_text
from schemas.errors import BadSchema, Undecodable, Unwritable
from schemas.library import VALUE, fullname, inline
from schemas.memo import Memo
from schemas.primitives import PRIMITIVES
from schemas.validation import dangers

# A `millrace.Value` is a record of one string: in bytes, the string alone. So it is parsed here as that string with a logical
# type of ours, and fastavro gives and takes the plain value. A union of Avro types would be truer to the type, but choosing
# its branches costs fastavro 6 to 25 times as much as JSON text does.
_JSON = "millrace-json"


def write(schema: Any, value: Any) -> bytes:
    """Return a value in Avro's binary form. In unions of records a branch is chosen by `(full name, record)`.

    Raises Unwritable when the value is not of the schema.
    """
    out = BytesIO()
    try:
        fastavro.schemaless_writer(out, _parsed(schema), value, strict_allow_default=True)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, IndexError, RecursionError) as error:
        raise Unwritable(f"the value is not of schema {_title(schema)}: {_reason(error)}") from error
    return out.getvalue()


def read(data: bytes, writer: Any, reader: Any | None = None, *, tagged: bool = False) -> Any:
    """Return the value of bytes that `writer` wrote, resolved to the `reader` schema when there is one.

    `tagged`: in unions of several records, give `(full name, record)`. Raises Undecodable for anything that is not
    exactly one record, or that the reader's schema cannot take.
    """
    source = BytesIO(data)
    if reader is None or reader is writer or _layout(reader) == _layout(writer):
        # Resolving a schema against its equal costs as much again as reading.
        writer, reader = writer if reader is None else reader, None
    try:
        value = fastavro.schemaless_reader(
            source,
            _parsed(writer),
            None if reader is None else _parsed(reader),
            return_record_name=tagged,
            return_record_name_override=tagged,
        )
    except BadSchema:
        raise
    # A hostile record can make fastavro raise nearly anything; none of it may get past here.
    except Exception as error:
        raise Undecodable(f"not a record of schema {_title(writer)}: {_reason(error)}") from error
    if source.tell() != len(data):
        raise Undecodable(f"{len(data) - source.tell()} bytes follow the record of schema {_title(writer)}")
    return value


def check(schema: Any) -> None:
    """Raise BadSchema for a schema that cannot be used, or that is unsafe to read with (see `schemas.validation.dangers`)."""
    _parsed(schema)


def _title(schema: Any) -> str:
    return str(schema.get("name", schema.get("type"))) if isinstance(schema, dict) else str(schema)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500] if str(error) else type(error).__name__


def _parse(schema: Any) -> Schema:
    _install()
    try:
        whole = inline(schema)
        dangers.refuse(whole)
        parsed: Schema = fastavro.parse_schema(_values_as_text(whole, ""), named_schemas={})
    except BadSchema:
        raise
    except (
        fastavro.schema.SchemaParseException,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        raise BadSchema(f"not a usable Avro schema ({_title(schema)}): {_reason(error)}") from error
    _plain_defaults(parsed)
    return parsed


def _values_as_text(schema: Any, namespace: str) -> Any:
    """Return a copy in which every `millrace.Value`, defined or named, is the string that it is in bytes."""
    if isinstance(schema, str):
        return {"type": "string", "logicalType": _JSON} if fullname(schema, namespace) == VALUE else schema
    if isinstance(schema, list):
        return [_values_as_text(branch, namespace) for branch in schema]
    match schema["type"]:
        case "array":
            return {**schema, "items": _values_as_text(schema["items"], namespace)}
        case "map":
            return {**schema, "values": _values_as_text(schema["values"], namespace)}
        case "record" | "error":
            full = fullname(schema["name"], schema.get("namespace", namespace))
            if full == VALUE:
                return {"type": "string", "logicalType": _JSON}
            inside = full.rpartition(".")[0]
            return {**schema, "fields": [_field_as_text(field, inside) for field in schema["fields"]]}
        case "enum" | "fixed":
            return schema
        case inner if isinstance(inner, str):
            return schema if inner in PRIMITIVES else _values_as_text(inner, namespace)
        case inner:
            return _values_as_text(inner, namespace)


def _field_as_text(field: dict[str, Any], namespace: str) -> dict[str, Any]:
    as_text = {**field, "type": _values_as_text(field["type"], namespace)}
    if _is_value(as_text["type"]) and isinstance(as_text.get("default"), dict):
        as_text["default"] = as_text["default"]["json"]
    return as_text


def _is_value(schema: Any) -> bool:
    """Return whether a field of this type has a Value as its default: a union's default is of its first branch."""
    if isinstance(schema, list):
        return bool(schema) and _is_value(schema[0])
    return isinstance(schema, dict) and schema.get("logicalType") == _JSON


def _plain_defaults(parsed: Any) -> None:
    """Turn the defaults of Value fields into plain values: fastavro returns a default as it is in the schema."""
    if isinstance(parsed, list):
        for branch in parsed:
            _plain_defaults(branch)
    elif isinstance(parsed, dict):
        for inner in (parsed.get("items"), parsed.get("values")):
            _plain_defaults(inner)
        for field in parsed.get("fields", ()):
            if _is_value(field["type"]) and "default" in field:
                field["default"] = value_text.loads(field["default"])
            _plain_defaults(field["type"])


def _canonical(schema: Any) -> str:
    _parsed(schema)  # what cannot be used is refused here, with its reason
    whole = inline(schema)
    try:
        return str(fastavro.schema.to_parsing_canonical_form(whole))
    except (ValueError, KeyError, TypeError, AttributeError):  # it knows fewer ways to write a schema than the reader
        return json.dumps(whole)


_parsed: Memo[Schema] = Memo(_parse)
_layout: Memo[str] = Memo(_canonical)
"""Schemas of equal layout read each other's bytes alike."""


@cache
def _install() -> None:
    """Register our logical type with fastavro; at first use, so that an import changes nothing."""
    fastavro.write.LOGICAL_WRITERS[f"string-{_JSON}"] = _to_text
    fastavro.read.LOGICAL_READERS[f"string-{_JSON}"] = _from_text


def _to_text(value: Any, _schema: Any) -> str:
    return value_text.dumps(value)


def _from_text(text: str, _writer: Any, _reader: Any = None) -> Any:
    return value_text.loads(text)
