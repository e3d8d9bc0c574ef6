"""Between records as they travel (plain dicts with refs) and the values that a service's function sees."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from schemas.refs import Ref
from streams.errors import Blame, MillraceError
from streams.service.contract import (
    Choice,
    Encoded,
    Items,
    Kind,
    Media,
    Nested,
    Object,
    Perhaps,
    Record,
    Table,
    fields_of,
)
from streams.service.errors import InvalidInput

Fetch = Callable[[Ref], bytes]
"""The bytes of a ref."""

Store = Callable[[Encoded], Ref]
"""Keeps an object and says its ref."""

R = TypeVar("R", bound=Record)


class BadOutput(MillraceError, TypeError):
    """A service gave a value that its own contract does not allow; the message names the field."""

    blame = Blame.AUTHOR


def bind(record: type[R], value: Mapping[str, Any], fetch: Fetch, where: str = "") -> R:
    """Return the typed value of a record that conforms to the class's schema, its media decoded.

    Raises InvalidInput, naming the field, for an object that is not what it should be.
    """
    return record(
        **{
            field.name: _bind(field.kind, value[field.name], fetch, _at(where, field.name))
            for field in fields_of(record)
        }
    )


def _bind(kind: Kind, value: Any, fetch: Fetch, where: str) -> Any:
    match kind:
        case Perhaps():
            return None if value is None else _bind(kind.of, value, fetch, where)
        case Choice():
            return kind.words(value)
        case Object():
            return _decoded(kind.media, Ref.from_dict(value), fetch, where)
        case Nested():
            return bind(kind.record, value, fetch, where)
        case Items():
            return tuple(_bind(kind.of, item, fetch, f"{where}[{index}]") for index, item in enumerate(value))
        case Table():
            return {key: _bind(kind.of, item, fetch, _at(where, key)) for key, item in value.items()}
    return value


def _decoded(media: type[Media], ref: Ref, fetch: Fetch, where: str) -> Media:
    try:
        return media.decode(fetch(ref), ref)
    except InvalidInput as refusal:
        raise refusal.at(where) from refusal


def unbind(value: Record, store: Store, where: str = "") -> dict[str, Any]:
    """Return the plain record of a typed value, its media encoded and stored; numbers are left for the schema to check.

    Raises BadOutput for a value of another class than its field's, and InvalidInput.
    """
    return {
        field.name: _unbind(field.kind, getattr(value, field.name), store, _at(where, field.name))
        for field in fields_of(type(value))
    }


def _unbind(kind: Kind, value: Any, store: Store, where: str) -> Any:
    match kind:
        case Perhaps():
            return None if value is None else _unbind(kind.of, value, store, where)
        case Choice() if isinstance(value, kind.words):
            return value.value
        case Object() if isinstance(value, kind.media):
            return store(value.encode()).to_dict()
        case Nested() if isinstance(value, kind.record):
            return unbind(value, store, where)
        case Items() if isinstance(value, tuple | list):
            return [_unbind(kind.of, item, store, f"{where}[{index}]") for index, item in enumerate(value)]
        case Table() if isinstance(value, Mapping):
            return {key: _unbind(kind.of, item, store, _at(where, key)) for key, item in value.items()}
        case Choice() | Object() | Nested() | Items() | Table():
            raise BadOutput(f"{where}: {value!r:.80} is not of the class that the contract says")
    return value


def _at(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
