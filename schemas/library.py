"""The checked-in records of `schemas/avro`: loading them, and inlining them where another schema names them."""

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from schemas import value_text
from schemas.errors import BadSchema, UnknownName
from schemas.primitives import PRIMITIVES

NAMESPACE = "millrace"
REF = "millrace.Ref"
VALUE = "millrace.Value"
_DEFINING = ("record", "error", "enum", "fixed")


@cache
def names() -> tuple[str, ...]:
    """Return the short names of the checked-in records, sorted: `Envelope`, `Ref`, …"""
    files = resources.files("schemas").joinpath("avro").iterdir()
    return tuple(sorted(file.name.removesuffix(".avsc") for file in files if file.name.endswith(".avsc")))


@cache
def _source(name: str) -> str:
    return resources.files("schemas").joinpath("avro", f"{name}.avsc").read_text(encoding="utf-8")


@cache
def load(name: str) -> dict[str, Any]:
    """Return the checked-in record of this short name, self-contained: the other records it names are defined inside it.

    The same object each time, since what is compiled from a schema is remembered by its identity; do not change it. Raises UnknownName when there is no such file.
    """
    if name not in names():
        raise UnknownName(f"no record {name!r} in schemas/avro; there are {', '.join(names())}")
    record: dict[str, Any] = inline(json.loads(_source(name)))
    return record


def inline(schema: Any, others: Mapping[str, Any] = MappingProxyType({})) -> Any:
    """Return a copy of a schema in which every shared record (`millrace.Ref`) is defined where it is first named.

    So is every type of `others`, which are definitions by full name (see `definitions`). The result is what a registry or
    another Avro implementation can read alone. Raises UnknownName.
    """
    return _Inlining(others).schema(schema, "")


def definitions(schema: Any) -> dict[str, Any]:
    """Return every type that a schema defines, by full name."""
    types: dict[str, Any] = {}
    _define(schema, "", types)
    return types


def fullname(name: str, namespace: str) -> str:
    """Return an Avro name with its namespace; a name with a dot in it is already full."""
    return name if "." in name or not namespace else f"{namespace}.{name}"


class _Inlining:
    """One pass over one schema: what has been defined so far."""

    def __init__(self, others: Mapping[str, Any]) -> None:
        self._others = others
        self._defined: set[str] = set()

    def schema(self, schema: Any, namespace: str) -> Any:
        if isinstance(schema, str):
            return self._named(schema, namespace)
        if isinstance(schema, list):
            return [self.schema(branch, namespace) for branch in schema]
        if not isinstance(schema, Mapping):
            raise BadSchema(f"not an Avro schema: {schema!r}")
        kind = schema.get("type")
        if kind == "array":
            return {**schema, "items": self.schema(schema["items"], namespace)}
        if kind == "map":
            return {**schema, "values": self.schema(schema["values"], namespace)}
        if kind in _DEFINING:
            full = fullname(schema["name"], schema.get("namespace", namespace))
            if full in self._defined and full in self._others:
                return full  # it stands inside another definition as well, which came before
            inner = full.rpartition(".")[0]
            self._defined.add(full)
            if "fields" not in schema:
                return dict(schema)
            return {**schema, "fields": [self._field(field, inner) for field in schema["fields"]]}
        return {**schema, "type": self.schema(kind, namespace)}

    def _field(self, field: Mapping[str, Any], namespace: str) -> dict[str, Any]:
        whole = {**field, "type": self.schema(field["type"], namespace)}
        first = whole["type"][0] if isinstance(whole["type"], list) else whole["type"]
        if "default" in whole and _name(first, namespace) == VALUE:
            text = value_text.dumps(plain_default(whole["default"]))
            # Apicurio 3.3 refuses a schema in which a text's default is exactly {}.
            whole["default"] = {"json": "{ }" if text == "{}" else text}
        return whole

    def _named(self, name: str, namespace: str) -> Any:
        if name in PRIMITIVES:
            return name
        full = fullname(name, namespace)
        if full in self._defined:
            return full
        if full in self._others:
            return self.schema(self._others[full], "")
        space, _, short = full.rpartition(".")
        if space == NAMESPACE and short in names():
            return self.schema(json.loads(_source(short)), "")
        raise UnknownName(f"the type {name!r} is neither defined in the schema nor one of {', '.join(names())}")


def _define(schema: Any, namespace: str, types: dict[str, Any]) -> None:
    if isinstance(schema, list):
        for branch in schema:
            _define(branch, namespace, types)
    elif isinstance(schema, Mapping):
        kind = schema.get("type")
        if kind in _DEFINING:
            space, _, short = fullname(schema["name"], schema.get("namespace", namespace)).rpartition(".")
            types[fullname(short, space)] = {**schema, "name": short, "namespace": space}
            for field in schema.get("fields", ()):
                _define(field["type"], space, types)
        elif kind in ("array", "map"):
            _define(schema["items" if kind == "array" else "values"], namespace, types)
        else:
            _define(kind, namespace, types)


def _name(schema: Any, namespace: str) -> Any:
    """Return the full name of a named type, defined or named; any other schema as it is."""
    if isinstance(schema, Mapping) and "name" in schema:
        return fullname(schema["name"], schema.get("namespace", namespace))
    return schema


def plain_default(default: Any) -> Any:
    """Return the default of a `millrace.Value` field as a plain value; a schema may also give it as the record `{"json": "1"}`."""
    if isinstance(default, Mapping) and default.keys() == {"json"} and isinstance(default["json"], str):
        return value_text.loads(default["json"])
    return default
