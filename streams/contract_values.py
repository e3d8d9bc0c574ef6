"""Between records as they travel (plain dicts with refs) and the values that a service's function sees."""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from schemas.refs import Ref, is_ref
from streams.contract import (
    Anything,
    Choice,
    Doc,
    Encoded,
    Field,
    Items,
    Kind,
    Media,
    Nested,
    Object,
    Perhaps,
    Record,
    Scalar,
    Table,
    fields_of,
)
from streams.refusal import Refused

R = TypeVar("R", bound=Record)


class BadOutput(TypeError):
    """A service gave a value that its own contract does not allow; the message names the field."""


Fetch = Callable[[Ref], bytes]
"""The bytes of a ref."""

Store = Callable[[Encoded], Ref]
"""Keeps an object and says its ref."""


def bind(record: type[R], value: Mapping[str, Any], fetch: Fetch, where: str = "") -> R:
    """The typed value of an input record, its media decoded; what the class does not name is passed over.

    Raises Refused, naming the field, for a value outside the contract.
    """
    if not isinstance(value, Mapping):
        raise Refused(f"expected a record, got {_shown(value)}", where=where)
    return record(**{field.name: _bind_field(field, value, fetch, where) for field in fields_of(record)})


def _bind_field(field: Field, value: Mapping[str, Any], fetch: Fetch, where: str) -> Any:
    place = f"{where}.{field.name}" if where else field.name
    if field.name in value:
        return _bind(field.kind, value[field.name], fetch, place, field.doc)
    if field.required:
        raise Refused("is missing", field.doc.text, place)
    return field.default


def _bind(kind: Kind, value: Any, fetch: Fetch, where: str, doc: Doc) -> Any:
    match kind:
        case Perhaps():
            return None if value is None else _bind(kind.of, value, fetch, where, doc)
        case Scalar():
            return _bounded(_scalar(kind.type, value, where), doc, where)
        case Choice():
            try:
                return kind.words(value)
            except ValueError:
                words = ", ".join(word.value for word in kind.words)
                raise Refused(f"{_shown(value)} is none of {words}", where=where) from None
        case Object():
            return _decoded(kind.media, value, fetch, where)
        case Nested():
            return bind(kind.record, value, fetch, where)
        case Items():
            if not isinstance(value, list | tuple):
                raise Refused(f"expected a list, got {_shown(value)}", where=where)
            return tuple(_bind(kind.of, item, fetch, f"{where}[{index}]", doc) for index, item in enumerate(value))
        case Table():
            if not isinstance(value, Mapping):
                raise Refused(f"expected a record, got {_shown(value)}", where=where)
            return {str(key): _bind(kind.of, item, fetch, f"{where}.{key}", doc) for key, item in value.items()}
        case Anything():
            return value


def _scalar(kind: type, value: Any, where: str) -> Any:
    if kind is int and _number(value) and value == int(value):  # JSON and expressions do not tell 2.0 from 2
        return int(value)
    if kind is float and _number(value):
        return float(value)
    if kind not in (int, float) and isinstance(value, kind):
        return value
    raise Refused(f"expected {_WORDS[kind]}, got {_shown(value)}", where=where)


def _number(value: Any) -> bool:
    """Whether a value is a number that Avro can carry."""
    if isinstance(value, int):
        return not isinstance(value, bool) and -(2**63) <= value < 2**63
    return isinstance(value, float) and math.isfinite(value)


_WORDS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    bytes: "bytes",
}


def _bounded(value: Any, doc: Doc, where: str) -> Any:
    if doc.minimum is not None and value < doc.minimum:
        raise Refused(f"{value} is less than the minimum {doc.minimum}", where=where)
    if doc.maximum is not None and value > doc.maximum:
        raise Refused(f"{value} is more than the maximum {doc.maximum}", where=where)
    return value


def _decoded(media: type[Media], value: Any, fetch: Fetch, where: str) -> Media:
    if not is_ref(value):
        raise Refused(f"expected a reference to an {media.kind}, got {_shown(value)}", where=where)
    ref = Ref.from_dict(value)
    try:
        return media.decode(fetch(ref), ref)
    except Refused as refusal:
        raise refusal.at(where) from refusal


def unbind(value: Record, store: Store, where: str = "") -> dict[str, Any]:
    """The plain record of a typed value, its media encoded and stored. Raises BadOutput and Refused."""
    return {
        field.name: _unbind(
            field.kind, getattr(value, field.name), store, f"{where}.{field.name}" if where else field.name
        )
        for field in fields_of(type(value))
    }


def _unbind(kind: Kind, value: Any, store: Store, where: str) -> Any:
    match kind:
        case Perhaps() if value is None:
            return None
        case Perhaps():
            return _unbind(kind.of, value, store, where)
        case Scalar():
            try:
                return _scalar(kind.type, value, where)
            except Refused as refusal:
                raise BadOutput(str(refusal)) from None
        case Choice() if isinstance(value, kind.words):
            return value.value
        case Object() if isinstance(value, kind.media):
            return store(value.encode()).to_dict()
        case Nested() if isinstance(value, kind.record):
            return unbind(value, store, where)
        case Items() if isinstance(value, tuple | list):
            return [_unbind(kind.of, item, store, f"{where}[{index}]") for index, item in enumerate(value)]
        case Table() if isinstance(value, Mapping):
            return {str(key): _unbind(kind.of, item, store, f"{where}.{key}") for key, item in value.items()}
        case Anything():
            return value
    raise BadOutput(f"{where}: {_shown(value)} is not what the contract says")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
