"""Schemas that would make a few hostile bytes dangerous to read; a stranger may register any schema."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.errors import BadSchema
from schemas.library import fullname
from schemas.primitives import PRIMITIVES

MAX_NODES = 10_000
"""Types in a schema when every name is written out. Records of records double at each level without taking a byte."""


@dataclass(frozen=True, slots=True)
class _Size:
    least: int
    """Bytes that every value takes."""
    nodes: int


def refuse(schema: Any) -> None:
    """Raise BadSchema for what is unsafe to read with: a type that contains itself (a few bytes a level overrun the C stack),
    list items that take no bytes (ten bytes can claim any number of them), or more than MAX_NODES types.

    The schema is self-contained, see `library.inline`.
    """
    _size(schema, "", {})


def _size(schema: Any, namespace: str, known: dict[str, _Size | None]) -> _Size:
    if isinstance(schema, str):
        return _named(schema, namespace, known)
    if isinstance(schema, list):
        return _sum(1, [_size(branch, namespace, known) for branch in schema], branching=True)
    match schema.get("type"):
        case "array" | "map" as kind:
            inner = _size(schema["items" if kind == "array" else "values"], namespace, known)
            if kind == "array" and inner.least == 0:
                raise BadSchema("the items of an array must take at least one byte each")
            return _Size(1, inner.nodes + 1)
        case "record" | "error":
            full = fullname(schema["name"], schema.get("namespace", namespace))
            known[full] = None
            inside = full.rpartition(".")[0]
            known[full] = size = _sum(0, [_size(field["type"], inside, known) for field in schema.get("fields", ())])
            return size
        case "enum" | "fixed" as kind:
            full = fullname(schema["name"], schema.get("namespace", namespace))
            known[full] = size = _Size(1 if kind == "enum" else schema["size"], 1)
            return size
        case inner:
            if not isinstance(inner, (str, list, Mapping)):
                raise BadSchema(f"not an Avro schema: {schema!r:.200}")
            return _size(inner, namespace, known)


def _sum(own: int, parts: list[_Size], *, branching: bool = False) -> _Size:
    nodes = 1 + sum(part.nodes for part in parts)
    if nodes > MAX_NODES:
        raise BadSchema(f"the schema has more than {MAX_NODES} types when every name is written out")
    return _Size(own if branching else own + sum(part.least for part in parts), nodes)


def _named(name: str, namespace: str, known: dict[str, _Size | None]) -> _Size:
    if name in PRIMITIVES:
        return _Size(PRIMITIVES[name].least, 1)
    full = fullname(name, namespace)
    size = known.get(full)
    if size is None:
        raise BadSchema(f"the type {full} holds itself" if full in known else f"the type {full} is not defined")
    return size
