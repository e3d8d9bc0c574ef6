"""The checked-in records of `schemas/avro`: loading them, and inlining them where another schema names them."""

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from schemas import values
from schemas.errors import BadSchema, UnknownName

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
NAMESPACE = "millrace"
REF = "millrace.Ref"
VALUE = "millrace.Value"


@cache
def names() -> tuple[str, ...]:
    """Short names of the checked-in records, sorted: `Envelope`, `Ref`, …"""
    files = resources.files("schemas").joinpath("avro").iterdir()
    return tuple(sorted(file.name.removesuffix(".avsc") for file in files if file.name.endswith(".avsc")))


@cache
def _source(name: str) -> str:
    return resources.files("schemas").joinpath("avro", f"{name}.avsc").read_text(encoding="utf-8")


@cache
def load(name: str) -> dict[str, Any]:
    """The checked-in record of this short name, self-contained: the other records it names stand inside it.

    The same object each time, since what is compiled from a schema is remembered by its identity; do not change it. Raises UnknownName when there is no such file.
    """
    if name not in names():
        raise UnknownName(f"no record {name!r} in schemas/avro; there are {', '.join(names())}")
    record: dict[str, Any] = inline(json.loads(_source(name)))
    return record


def inline(schema: Any) -> Any:
    """A copy of a schema in which every shared record (`millrace.Ref`) is defined where it is first named.

    The result is what a registry or another Avro implementation can read alone. Raises UnknownName.
    """
    return _inline(schema, "", set())


def fullname(name: str, namespace: str) -> str:
    """An Avro name with its namespace; a name with a dot in it is full already."""
    return name if "." in name or not namespace else f"{namespace}.{name}"


def _inline(schema: Any, namespace: str, defined: set[str]) -> Any:
    if isinstance(schema, str):
        return _named(schema, namespace, defined)
    if isinstance(schema, list):
        return [_inline(branch, namespace, defined) for branch in schema]
    if not isinstance(schema, Mapping):
        raise BadSchema(f"not an Avro schema: {schema!r}")
    kind = schema.get("type")
    if kind == "array":
        return {**schema, "items": _inline(schema["items"], namespace, defined)}
    if kind == "map":
        return {**schema, "values": _inline(schema["values"], namespace, defined)}
    if kind in ("record", "error", "enum", "fixed"):
        full = fullname(schema["name"], schema.get("namespace", namespace))
        inner = full.rpartition(".")[0]
        defined.add(full)
        if "fields" not in schema:
            return dict(schema)
        return {**schema, "fields": [_field(field, inner, defined) for field in schema["fields"]]}
    return {**schema, "type": _inline(kind, namespace, defined)}


def _field(field: Mapping[str, Any], namespace: str, defined: set[str]) -> dict[str, Any]:
    made = {**field, "type": _inline(field["type"], namespace, defined)}
    first = made["type"][0] if isinstance(made["type"], list) else made["type"]
    if "default" in made and _name(first, namespace) == VALUE:
        text = values.dumps(plain_default(made["default"]))
        # Apicurio 3.3 refuses a schema in which a text's default is exactly {}.
        made["default"] = {"json": "{ }" if text == "{}" else text}
    return made


def _name(schema: Any, namespace: str) -> Any:
    """The full name of a named type, defined or named."""
    if isinstance(schema, Mapping) and "name" in schema:
        return fullname(schema["name"], schema.get("namespace", namespace))
    return schema


def plain_default(default: Any) -> Any:
    """The default of a `millrace.Value` field as a plain value; a schema may also give it as the record `{"json": "1"}`."""
    if isinstance(default, Mapping) and default.keys() == {"json"} and isinstance(default["json"], str):
        return values.loads(default["json"])
    return default


def _named(name: str, namespace: str, defined: set[str]) -> Any:
    if name in PRIMITIVES:
        return name
    full = fullname(name, namespace)
    if full in defined:
        return full
    space, _, short = full.rpartition(".")
    if space == NAMESPACE and short in names():
        return _inline(json.loads(_source(short)), "", defined)
    raise UnknownName(f"the type {name!r} is neither defined in the schema nor one of {', '.join(names())}")
