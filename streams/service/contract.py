"""Contracts as Python classes: a record is a class, a field is an annotation, and the rest is derived from them."""

import dataclasses
import types
import typing
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar, Self, dataclass_transform

from schemas.primitives import NULL, ROWS
from schemas.refs import Ref
from streams.errors import Blame, MillraceError

_SCALARS = {row.python for row in ROWS} - {NULL.python}


class BadRecord(MillraceError, TypeError):
    """A record class uses an annotation that a contract cannot say; the message names class and field."""

    blame = Blame.AUTHOR


@dataclass(frozen=True)
class Doc:
    """What a field means, for people, and the bounds of its value (or of each item of a list)."""

    text: str
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class Encoded:
    """An object as it is stored."""

    media_type: str
    data: bytes


class Media(ABC):
    """The type of a field that is a reference to an object: the function sees this, records carry a Ref.

    A field declared with a subclass is decoded before the function runs, and encoded from what it gives.
    """

    kind: ClassVar[str]
    """What the catalogue calls it: `image`."""

    @classmethod
    @abstractmethod
    def decode(cls, data: bytes, ref: Ref) -> Self:
        """Return the value of these bytes. Raises InvalidInput when they are not what they should be."""

    @abstractmethod
    def encode(self) -> Encoded:
        """Return the bytes to store. Raises InvalidInput when the value cannot be stored in its format."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Record:
    """The base of every record of a contract; a subclass is a frozen dataclass with keyword-only fields.

    Allowed annotations: bool, int, float, str, bytes, StrEnum, Media, Record, `tuple[T, ...]`, `Mapping[str, T]`,
    `T | None` and Any, each perhaps inside `Annotated[T, Doc(…)]`. A mapping's default is a
    `dataclasses.field(default_factory=…)`.
    """

    __shared__: ClassVar[bool] = False
    __unwanted__: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, shared: bool = False, unwanted: Mapping[str, str] | None = None) -> None:
        """`shared`: the record has the same meaning in every service, and so the same Avro name (`millrace.Area`).

        `unwanted`: names that callers are known to send although they are not fields, each with the reason, which the error shows.
        """
        super().__init_subclass__()
        cls.__shared__ = shared
        cls.__unwanted__ = dict(unwanted or {})
        dataclass(frozen=True, kw_only=True)(cls)
        if fields := sorted(cls.__unwanted__.keys() & cls.__dataclass_fields__.keys()):  # type: ignore[attr-defined]
            raise BadRecord(f"{cls.__qualname__}: {', '.join(fields)}: a field cannot be unwanted")


@dataclass(frozen=True)
class Scalar:
    """bool, int, float, str or bytes."""

    type: type


@dataclass(frozen=True)
class Choice:
    """One of the words of a StrEnum."""

    words: type[StrEnum]


@dataclass(frozen=True)
class Object:
    """A reference to an object, seen as a Media."""

    media: type[Media]


@dataclass(frozen=True)
class Nested:
    """Another record."""

    record: type[Record]


@dataclass(frozen=True)
class Items:
    """A list, passed as a tuple."""

    of: "Kind"


@dataclass(frozen=True)
class Table:
    """A mapping from strings."""

    of: "Kind"


@dataclass(frozen=True)
class Perhaps:
    """A value or None."""

    of: "Kind"


@dataclass(frozen=True)
class Anything:
    """Any JSON-like value."""


Kind = Scalar | Choice | Object | Nested | Items | Table | Perhaps | Anything


@dataclass(frozen=True)
class Field:
    """One field of a record class. `default` is dataclasses.MISSING when the field must be given."""

    name: str
    kind: Kind
    doc: Doc
    default: Any

    @property
    def required(self) -> bool:
        """Whether the field must be given."""
        return self.default is MISSING


def fields_of(record: type[Record]) -> tuple[Field, ...]:
    """Return the fields of a record class, in order. Raises BadRecord."""
    kind: Any = record
    return _fields(kind)


@cache
def _fields(record: type[Any]) -> tuple[Field, ...]:
    hints = typing.get_type_hints(record, include_extras=True)
    return tuple(_field(record, field.name, hints[field.name], _default(field)) for field in fields(record))


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _field(record: type[Record], name: str, hint: Any, default: Any) -> Field:
    doc = Doc("")
    if typing.get_origin(hint) is typing.Annotated:
        hint, *notes = typing.get_args(hint)
        doc = next((note for note in notes if isinstance(note, Doc)), doc)
    try:
        return Field(name, _kind(hint), doc, default)
    except BadRecord as error:
        raise BadRecord(f"{record.__qualname__}.{name}: {error}") from None


def _kind(hint: Any) -> Kind:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return Anything()
    if hint in _SCALARS:
        return Scalar(hint)
    if origin in (typing.Union, types.UnionType):
        return _perhaps(hint, arguments)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return Items(_kind(arguments[0]))
    if origin is Mapping and arguments[0] is str:
        return Table(_kind(arguments[1]))
    if isinstance(hint, type):
        for base, kind in ((StrEnum, Choice), (Media, Object), (Record, Nested)):
            if issubclass(hint, base):
                return kind(hint)  # type: ignore[arg-type]  # the table pairs each base with its kind
    raise BadRecord(
        f"the annotation {hint!r} cannot be used in a contract; see streams.service.contract.Record for what can"
    )


def _perhaps(hint: Any, arguments: tuple[Any, ...]) -> Kind:
    others = [argument for argument in arguments if argument is not types.NoneType]
    if len(others) != 1 or len(arguments) != 2:
        raise BadRecord(f"the annotation {hint!r} cannot be used in a contract: the only union is with None")
    return Perhaps(_kind(others[0]))
