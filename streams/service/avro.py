"""The Avro schema (JSON form) that a record class stands for."""

from enum import StrEnum
from typing import Any

from schemas.primitives import ROWS
from schemas.shapes import UNWANTED
from streams.service.contract import (
    Anything,
    BadRecord,
    Choice,
    Field,
    Items,
    Kind,
    Nested,
    Object,
    Perhaps,
    Record,
    Scalar,
    Table,
    fields_of,
)

NAMESPACE = "millrace"

_SCALARS = {row.python: row.name for row in ROWS}


def avro(record: type[Record], name: str, prefix: str) -> dict[str, Any]:
    """Return the schema of a record class under the short name `name`.

    Records inside it are named `<prefix><class>`, so that two services may both have a `Face`; shared ones keep their
    own name. Raises BadRecord.
    """
    return _record(record, f"{NAMESPACE}.{name}", prefix, {})


def _record(record: type[Record], full: str, prefix: str, known: dict[str, type[Record]]) -> dict[str, Any]:
    known[full] = record
    schema: dict[str, Any] = {"type": "record", "name": full}
    # A dataclass without a docstring of its own gets its signature as one, which documents nothing.
    if record.__doc__ and not record.__doc__.startswith(f"{record.__name__}("):
        schema["doc"] = " ".join(record.__doc__.split())
    if record.__unwanted__:
        schema[UNWANTED] = dict(record.__unwanted__)
    schema["fields"] = [_field(field, prefix, known) for field in fields_of(record)]
    return schema


def _field(field: Field, prefix: str, known: dict[str, type[Record]]) -> dict[str, Any]:
    kind = _type(field.kind, prefix, known)
    if isinstance(field.kind, Perhaps) and not field.required and field.default is not None:
        kind = kind[::-1]  # Avro: a default has the type of the union's first branch
    entry: dict[str, Any] = {"name": field.name, "type": kind}
    if field.doc.text:
        entry["doc"] = field.doc.text
    if not field.required:
        entry["default"] = _plain(field.default)
    bounds = {"minimum": field.doc.minimum, "maximum": field.doc.maximum}
    entry |= {name: bound for name, bound in bounds.items() if bound is not None}
    inner = _innermost(field.kind)
    if isinstance(inner, Choice):
        entry["enum"] = [word.value for word in inner.words]
    if isinstance(inner, Object):
        entry["media"] = inner.media.kind
    return entry


def _type(kind: Kind, prefix: str, known: dict[str, type[Record]]) -> Any:
    match kind:
        case Scalar():
            return _SCALARS[kind.type]
        case Choice():
            return "string"
        case Object():
            return f"{NAMESPACE}.Ref"
        case Anything():
            return f"{NAMESPACE}.Value"
        case Items():
            return {"type": "array", "items": _type(kind.of, prefix, known)}
        case Table():
            return {"type": "map", "values": _type(kind.of, prefix, known)}
        case Perhaps():
            return ["null", _type(kind.of, prefix, known)]
        case Nested():
            return _nested(kind.record, prefix, known)


def _nested(record: type[Record], prefix: str, known: dict[str, type[Record]]) -> Any:
    full = f"{NAMESPACE}.{'' if record.__shared__ else prefix}{record.__name__}"
    if full not in known:
        return _record(record, full, prefix, known)
    if known[full] is not record:
        raise BadRecord(f"two records of one contract are named {full}: rename one of the classes")
    return full


def _innermost(kind: Kind) -> Kind:
    return _innermost(kind.of) if isinstance(kind, Items | Table | Perhaps) else kind


def _plain(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
