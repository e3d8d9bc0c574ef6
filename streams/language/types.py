"""The types of the language: what an edge carries, from Avro and to Avro, and which type is accepted where another is expected."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from schemas.primitives import ROWS
from schemas.shapes import UNWANTED


class Kind(StrEnum):
    """What a value is: the words of the language, then those that only services and expressions produce."""

    STRING = "string"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    IMAGE = "image"
    ANY = "any"
    LIST = "list"
    RECORD = "record"
    MAP = "map"
    BYTES = "bytes"
    NULL = "null"


@dataclass(frozen=True)
class Type:
    """A type. `item` is a list's or map's; `fields` are a record's; `name` is its Avro name where it has one."""

    kind: Kind
    item: "Type | None" = None
    fields: tuple["Field", ...] = ()
    name: str = dataclasses.field(default="", compare=False)
    optional: bool = False

    def field(self, name: str) -> "Field | None":
        """Return the field of that name; None when there is none."""
        return next((field for field in self.fields if field.name == name), None)

    def within(self, most: int) -> bool:
        """Return whether the type has at most `most` parts, those of its parts included; counts no further."""
        return _counted(self, most) >= 0

    def __str__(self) -> str:
        return _text(self)

    def brief(self) -> str:
        """Write the type as text, without what is inside the records of its fields."""
        return _text(self, deep=1)


@dataclass(frozen=True)
class Field:
    """One field of a record or one input of a pipeline. Without a default it must be given."""

    name: str
    type: Type
    default: Any = None
    required: bool = True
    doc: str = dataclasses.field(default="", compare=False)
    minimum: float | None = None
    maximum: float | None = None
    enum: tuple[Any, ...] = ()


STRING, INT, FLOAT, BOOL, IMAGE, ANY, BYTES, NULL = (
    Type(kind) for kind in (Kind.STRING, Kind.INT, Kind.FLOAT, Kind.BOOL, Kind.IMAGE, Kind.ANY, Kind.BYTES, Kind.NULL)
)

WORDS: Mapping[str, Type] = {row.word: Type(Kind(row.word)) for row in ROWS if row.written} | {
    "image": IMAGE,
    "any": ANY,
}
"""The type words of the language."""

_FROM_AVRO: Mapping[str, Type] = {
    **{row.name: Type(Kind(row.word)) for row in ROWS},
    "millrace.Ref": IMAGE,
    "millrace.Value": ANY,
}

_TO_AVRO: Mapping[Kind, Any] = {
    **{Kind(row.word): row.name for row in ROWS},
    Kind.IMAGE: "millrace.Ref",
    Kind.ANY: "millrace.Value",
}


def list_of(item: Type) -> Type:
    """Return the type `[item]`."""
    return Type(Kind.LIST, item=item)


def record_of(fields: Mapping[str, Type]) -> Type:
    """Return the type `{name: type}`, with every field required."""
    return Type(Kind.RECORD, fields=tuple(Field(name, kind) for name, kind in fields.items()))


def _counted(kind: Type, left: int) -> int:
    """Return how many of `left` parts remain after this type; negative when it has more."""
    left -= 1
    for inner in (*([kind.item] if kind.item else []), *(field.type for field in kind.fields)):
        if left < 0:
            break
        left = _counted(inner, left)
    return left


def _text(kind: Type, deep: int = 99) -> str:
    if kind.kind is Kind.LIST and kind.item:
        text = f"[{_text(kind.item, deep)}]"
    elif kind.kind is Kind.MAP and kind.item:
        text = f"{{string: {_text(kind.item, deep)}}}"
    elif kind.kind is Kind.RECORD and deep == 0:
        text = "{…}"
    elif kind.kind is Kind.RECORD:
        text = "{" + ", ".join(f"{field.name}: {_text(field.type, deep - 1)}" for field in kind.fields) + "}"
    else:
        text = str(kind.kind)
    return f"{text} or null" if kind.optional and kind.kind is not Kind.NULL else text


def from_avro(schema: Any, named: dict[str, Type] | None = None) -> Type:
    """Return the type that an Avro schema describes. Names may refer to records seen earlier in the same schema."""
    named = {} if named is None else named
    if isinstance(schema, str):
        return _FROM_AVRO.get(schema) or named.get(schema) or ANY
    if isinstance(schema, list):
        others = [branch for branch in schema if branch != "null"]
        inner = from_avro(others[0], named) if len(others) == 1 else ANY
        return replace(inner, optional=True) if len(others) < len(schema) and inner.kind is not Kind.ANY else inner
    kind = schema["type"]
    if kind == "array":
        return list_of(from_avro(schema["items"], named))
    if kind == "map":
        return Type(Kind.MAP, item=from_avro(schema["values"], named))
    if kind == "enum":
        return STRING
    if kind != "record":
        return from_avro(kind, named)
    space, _, short = f"{schema.get('namespace', '')}.{schema['name']}".rpartition(".")
    full = f"{space}.{short}".lstrip(".")
    if full in _FROM_AVRO:
        return _FROM_AVRO[full]
    record = Type(Kind.RECORD, fields=tuple(_field(field, named) for field in schema["fields"]), name=short)
    named[full] = named[short] = record
    return record


def _field(schema: Mapping[str, Any], named: dict[str, Type]) -> Field:
    return Field(
        name=schema["name"],
        type=from_avro(schema["type"], named),
        default=schema.get("default"),
        required="default" not in schema,
        doc=schema.get("doc", ""),
        minimum=schema.get("minimum"),
        maximum=schema.get("maximum"),
        enum=tuple(schema.get("enum", ())),
    )


def record_schema(
    name: str, fields: tuple[Field, ...], doc: str = "", unwanted: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return an Avro record of these fields, with the ranges and docs as extra attributes; inner records are named by their places.

    `unwanted`: names that callers are known to send although they are not fields, each with the reason.
    """
    schema = _record_schema(name, fields, doc, set())
    return {**schema, UNWANTED: dict(unwanted)} if unwanted else schema


def _to_avro(kind: Type, name: str, taken: set[str]) -> Any:
    if kind.kind is Kind.LIST:
        schema: Any = {"type": "array", "items": _to_avro(kind.item or ANY, name + "Item", taken)}
    elif kind.kind is Kind.MAP:
        schema = {"type": "map", "values": _to_avro(kind.item or ANY, name + "Value", taken)}
    elif kind.kind is Kind.RECORD:
        schema = _record_schema(name, kind.fields, "", taken)
    else:
        schema = _TO_AVRO[kind.kind]
    return ["null", schema] if kind.optional and kind.kind is not Kind.NULL else schema


def _record_schema(name: str, fields: tuple[Field, ...], doc: str, taken: set[str]) -> dict[str, Any]:
    while name in taken:
        name += "_"  # `faces: [{…}]` and `faces_item: {…}` stand for the same words
    taken.add(name)
    schema: dict[str, Any] = {"type": "record", "namespace": "millrace", "name": name, "fields": []}
    if doc:
        schema["doc"] = doc
    for field in fields:
        entry: dict[str, Any] = {"name": field.name, "type": _to_avro(field.type, name + camel(field.name), taken)}
        if field.doc:
            entry["doc"] = field.doc
        if not field.required:
            entry["default"] = field.default
        for key in ("minimum", "maximum"):
            if getattr(field, key) is not None:
                entry[key] = getattr(field, key)
        if field.enum:
            entry["enum"] = list(field.enum)
        schema["fields"].append(entry)
    return schema


def camel(name: str) -> str:
    """Return a name that Avro allows: `BlurWomen` for `blur-women`."""
    return "".join(part[:1].upper() + part[1:] for part in name.replace("-", "_").split("_"))


def mismatch(actual: Type, expected: Type, where: str = "", exact: bool = False) -> str | None:
    """Return why `actual` cannot be given where `expected` is wanted; None when it can.

    An int serves as a float unless `exact`: where nothing converts the value, an expression would meet an int after all. A
    record has the wanted fields and no others, and `any` is checked when the value is there.
    """
    if Kind.ANY in (actual.kind, expected.kind):
        return None
    if actual.kind is Kind.NULL:
        return None if expected.optional or expected.kind is Kind.NULL else _differ(actual, expected, where)
    if actual.kind is Kind.INT and expected.kind is Kind.FLOAT and not exact:
        return None
    if actual.kind is Kind.MAP and expected.kind in (Kind.RECORD, Kind.IMAGE):
        return None  # CEL's `{'x': 1}` is a map; its keys are checked when the value is there
    if actual.kind is Kind.RECORD and expected.kind is Kind.MAP:
        reasons = (
            mismatch(f.type, expected.item or ANY, f"{where}.{f.name}".lstrip("."), exact) for f in actual.fields
        )
        return next((reason for reason in reasons if reason), None)
    if actual.kind is not expected.kind:
        return _differ(actual, expected, where)
    if actual.kind in (Kind.LIST, Kind.MAP):
        return mismatch(actual.item or ANY, expected.item or ANY, f"{where}[]", exact)
    if actual.kind is Kind.RECORD:
        return _record_mismatch(actual, expected, where, exact)
    return None


def conversion(actual: Type, expected: Type) -> str:
    """Say what an author can write where `actual` is given and `expected` is wanted; empty when there is no such thing."""
    if actual.kind is expected.kind is Kind.LIST and actual.item and expected.item:
        return _each(actual.item, expected.item)
    known = _CONVERSIONS.get((actual.kind, expected.kind))
    if known:
        return known
    if actual.kind is Kind.RECORD:
        fitting = [field.name for field in actual.fields if _fits(field.type, expected)]
        return (
            f"write x.{fitting[0]}" if fitting else f"its fields are {', '.join(field.name for field in actual.fields)}"
        )
    if expected.kind is Kind.LIST:
        return "a list is expected: [x] makes one"
    if actual.kind is Kind.LIST and actual.item and _fits(actual.item, expected):
        return "take one of the list: x[0]"
    return _WAYS.get(expected.kind, "")


_CONVERSIONS: Mapping[tuple[Kind, Kind], str] = {
    (Kind.FLOAT, Kind.INT): "write int(x) to cut it to a whole number",
    (Kind.INT, Kind.FLOAT): "write 2.0, or double(x)",
    (Kind.INT, Kind.STRING): "write string(x)",
    (Kind.FLOAT, Kind.STRING): "write string(x)",
    (Kind.BOOL, Kind.STRING): "write string(x)",
    (Kind.STRING, Kind.INT): "write int(x), for a text that is a whole number",
    (Kind.STRING, Kind.FLOAT): "write double(x), for a text that is a number",
}
_WAYS: Mapping[Kind, str] = {
    Kind.IMAGE: "images come from inputs and from services that give them",
    Kind.BOOL: "a comparison gives a bool: x > 0, x == 'yes'",
}
"""Where a value of a kind can come from, when nothing turns the given one into it."""


def _each(actual: Type, expected: Type) -> str:
    """Say how to convert every item of a list; empty when there is no way."""
    advice = conversion(actual, expected)
    if advice.startswith("write ") and "x" in advice:
        code = advice.removeprefix("write ").partition(",")[0].partition(" to ")[0]
        return f"write xs.map(x, {code})"
    return advice


def _fits(actual: Type, expected: Type) -> bool:
    return Kind.ANY not in (actual.kind, expected.kind) and mismatch(actual, expected) is None


def _record_mismatch(actual: Type, expected: Type, where: str, exact: bool) -> str | None:
    for wanted in expected.fields:
        offered = actual.field(wanted.name)
        place = f"{where}.{wanted.name}".lstrip(".")
        if offered is None and wanted.required:
            return f"{place} is missing: {actual} is given, {expected} is expected"
        reason = mismatch(offered.type, wanted.type, place, exact) if offered else None
        if reason:
            return reason
    for field in actual.fields:
        if expected.field(field.name) is None:
            return f"{f'{where}.{field.name}'.lstrip('.')} is too much: {actual} is given, {expected} is expected"
    return None


def _differ(actual: Type, expected: Type, where: str) -> str:
    place = f"{where.lstrip('.')}: " if where else ""
    return f"{place}{actual} is given, {expected} is expected"


def common(left: Type, right: Type) -> Type | None:
    """Return the type that both sides of a choice have, or None. An int and a float have none: nothing would convert the int."""
    if left == right:
        return replace(left, optional=left.optional or right.optional)
    if left.kind is Kind.NULL:
        return replace(right, optional=True)
    if right.kind is Kind.NULL:
        return replace(left, optional=True)
    if Kind.ANY in (left.kind, right.kind):
        return ANY
    if left.kind is right.kind and left.kind in (Kind.LIST, Kind.MAP):
        inner = common(left.item or ANY, right.item or ANY)
        return replace(left, item=inner) if inner else None
    if left.kind is right.kind is Kind.RECORD and [f.name for f in left.fields] == [f.name for f in right.fields]:
        pairs = [common(a.type, b.type) for a, b in zip(left.fields, right.fields, strict=True)]
        if all(pairs):
            return replace(left, fields=tuple(replace(f, type=t) for f, t in zip(left.fields, pairs, strict=True) if t))
    return None
