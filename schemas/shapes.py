"""Avro schemas as frozen values that code can match on: what every reader of a contract works with."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.errors import BadSchema, UnknownName
from schemas.library import NAMESPACE, REF, VALUE, fullname, load, names, plain_default
from schemas.memo import Memo
from schemas.primitives import NULL, PRIMITIVES, Primitive

UNWANTED = "unwanted"
"""The attribute of a record schema that says why names that callers are known to send are no fields of it."""


@dataclass(frozen=True, slots=True)
class RefShape:
    """A reference to an object in S3 (`millrace.Ref`)."""


@dataclass(frozen=True, slots=True)
class AnyShape:
    """Any JSON-like value (`millrace.Value`)."""


@dataclass(frozen=True, slots=True)
class Array:
    """A list of items of one shape."""

    items: "Shape"


@dataclass(frozen=True, slots=True)
class Map:
    """An object with any keys and values of one shape."""

    values: "Shape"


@dataclass(frozen=True, slots=True)
class Enum:
    """One of some words."""

    name: str
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fixed:
    """Bytes of one length."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Union:
    """A value of any of the branches' shapes."""

    branches: "tuple[Shape, ...]"

    @property
    def optional(self) -> bool:
        """Whether null is one of the branches."""
        return NULL in self.branches


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record; `minimum`, `maximum` and `enum` bound the value, or a list's items."""

    name: str
    shape: "Shape"
    doc: str = ""
    required: bool = True
    """False when the field has a default."""
    default: Any = None
    minimum: float | None = None
    maximum: float | None = None
    enum: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """An object with named fields."""

    name: str
    """The full name: `millrace.Area`."""
    doc: str = ""
    # Not part of the comparison or the representation: a record may hold itself.
    fields: tuple[Field, ...] = field(default=(), compare=False, repr=False)
    unwanted: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    """Names that callers are known to send although they are not fields, each with the reason."""

    def field(self, name: str) -> Field | None:
        """Return the field of this name, or None."""
        return next((field for field in self.fields if field.name == name), None)


Shape = Primitive | RefShape | AnyShape | Array | Map | Enum | Fixed | Union | Record


def shape(schema: Any) -> Shape:
    """Return the shape of an Avro schema (JSON form); shared records such as `millrace.Ref` may be named only.

    Remembered by the schema object's identity, so a schema must not be changed once used.
    Raises UnknownName for a type that nothing defines, BadSchema for what is no Avro schema.
    """
    if isinstance(schema, str):
        return _shape(schema, "", {})
    return _shapes(schema)


def record_shape(schema: Any) -> Record:
    """Return the shape of a record schema. Raises BadSchema for any other schema."""
    record = shape(schema)
    if not isinstance(record, Record):
        raise BadSchema(f"expected an Avro record, got {schema!r}")
    return record


def branches(of: Shape) -> Iterator[Shape]:
    """Yield the shapes that a value may have, without null: a union's branches, else the shape itself."""
    for branch in of.branches if isinstance(of, Union) else (of,):
        if branch != NULL:
            yield branch


def _shape(schema: Any, namespace: str, defined: dict[str, Shape]) -> Shape:
    if isinstance(schema, str):
        return _named(schema, namespace, defined)
    if isinstance(schema, list):
        return Union(tuple(_shape(branch, namespace, defined) for branch in schema))
    if not isinstance(schema, Mapping) or "type" not in schema:
        raise BadSchema(f"not an Avro schema: {schema!r}")
    match schema["type"]:
        case "array":
            return Array(_shape(schema["items"], namespace, defined))
        case "map":
            return Map(_shape(schema["values"], namespace, defined))
        case "record" | "error":
            return _record(schema, namespace, defined)
        case "enum":
            full = fullname(schema["name"], schema.get("namespace", namespace))
            defined[full] = Enum(full, tuple(schema["symbols"]))
            return defined[full]
        case "fixed":
            full = fullname(schema["name"], schema.get("namespace", namespace))
            defined[full] = Fixed(full, schema["size"])
            return defined[full]
        case inner:
            return _shape(inner, namespace, defined)


def _record(schema: Mapping[str, Any], namespace: str, defined: dict[str, Shape]) -> Shape:
    full = fullname(schema["name"], schema.get("namespace", namespace))
    special = _SPECIAL.get(full)
    if special is not None:
        defined[full] = special
        return special
    record = Record(full, schema.get("doc", ""), unwanted=schema.get(UNWANTED, {}))
    defined[full] = record
    inner = full.rpartition(".")[0]
    fields = tuple(_field(field, inner, defined) for field in schema["fields"])
    object.__setattr__(record, "fields", fields)  # only now: a field may name the record that holds it
    return record


def _field(schema: Mapping[str, Any], namespace: str, defined: dict[str, Shape]) -> Field:
    kind = schema["type"]
    # The bounds may be given with the field or inside the type's own object.
    extra = {**kind, **schema} if isinstance(kind, Mapping) else schema
    enum = extra.get("enum")
    of = _shape(kind, namespace, defined)
    return Field(
        name=schema["name"],
        shape=of,
        doc=schema.get("doc", ""),
        required="default" not in schema,
        default=_default(of, schema.get("default")),
        minimum=extra.get("minimum"),
        maximum=extra.get("maximum"),
        enum=tuple(enum) if enum is not None else None,
    )


def _default(of: Shape, default: Any) -> Any:
    """Return a field's default as the value it stands for."""
    first = of.branches[0] if isinstance(of, Union) else of
    return plain_default(default) if isinstance(first, AnyShape) else default


def _named(name: str, namespace: str, defined: dict[str, Shape]) -> Shape:
    if name in PRIMITIVES:
        return PRIMITIVES[name]
    full = fullname(name, namespace)
    special = _SPECIAL.get(full) or defined.get(full)
    if special is not None:
        return special
    space, _, short = full.rpartition(".")
    if space == NAMESPACE and short in names():
        return _shape(load(short), "", defined)
    raise UnknownName(f"the type {name!r} is neither defined in the schema nor one of {', '.join(names())}")


_SPECIAL: Mapping[str, Shape] = {REF: RefShape(), VALUE: AnyShape()}
_shapes: Memo[Shape] = Memo(lambda schema: _shape(schema, "", {}))
