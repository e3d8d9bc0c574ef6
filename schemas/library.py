"""The checked-in records of `schemas/avro`: loading them, and inlining them where another schema names them."""

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from schemas.errors import BadSchema, UnknownName

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
NAMESPACE = "millrace"


@cache
def names() -> tuple[str, ...]:
    """Short names of the checked-in records, sorted: `Envelope`, `Ref`, …"""
    files = resources.files("schemas").joinpath("avro").iterdir()
    return tuple(sorted(file.name.removesuffix(".avsc") for file in files if file.name.endswith(".avsc")))


@cache
def _source(name: str) -> str:
    return resources.files("schemas").joinpath("avro", f"{name}.avsc").read_text(encoding="utf-8")


def load(name: str) -> dict[str, Any]:
    """The checked-in record of this short name, self-contained: the other records it names stand inside it.

    Raises UnknownName when there is no such file.
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
        fields = [{**field, "type": _inline(field["type"], inner, defined)} for field in schema["fields"]]
        return {**schema, "fields": fields}
    return {**schema, "type": _inline(kind, namespace, defined)}


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
