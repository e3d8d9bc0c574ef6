"""The primitive types: everything that Millrace knows of each, in one row.

Each row is read by the checks, the messages, JSON Schema, tests' mocks, the contracts of services, the language of pipelines
and its expressions. A new primitive is one row here, a member of `streams.language.types.Kind`, and what only it needs.
"""

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.inspection import Check, Look, Where, show


@dataclass(frozen=True, slots=True)
class Primitive:
    """One type without parts. It is its own shape (see `schemas.shapes`); two of one name are equal."""

    name: str
    """Avro's name."""
    word: str = field(compare=False)
    """The name in the language of pipelines; of several primitives with one word, the last is how the language writes it."""
    words: str = field(compare=False)
    """What a value is, in a message: `a whole number`."""
    check: Check = field(compare=False, repr=False)
    """Conforms a value that JSON or Avro gave."""
    json_schema: Mapping[str, Any] = field(compare=False, repr=False)
    empty: Any = field(compare=False)
    """What stands for a value that a test leaves out."""
    python: type = field(compare=False)
    """The annotation in a contract; of several primitives with one class, the last is its schema."""
    cel: str = field(compare=False)
    """The name in CEL, in upper case; of several primitives with one name, the first is what a value of CEL is."""
    proto: str = field(compare=False)
    """The type of a protobuf field that holds it, in upper case; empty when there is none."""
    least: int = field(default=1, compare=False)
    """The fewest bytes that a value takes in Avro."""
    written: bool = field(default=True, compare=False)
    """Whether the author of a pipeline can write its word."""
    unquoted: bool = field(default=False, compare=False)
    """Whether a part of a form is the value itself, and not JSON."""
    render: Callable[[Any], Any] | None = field(default=None, compare=False, repr=False)
    """Turns a value into what JSON can say; None when it is that already."""
    refuses: tuple[str, ...] = field(default=(), compare=False)
    """Primitives that Avro resolves to this one although their JSON form is refused: a change to this one breaks callers."""


def _wrong(words: str, hint: Callable[[Any], str]) -> Check:
    def wrong(value: Any, where: Where, look: Look) -> Any:
        note = "leave it out where it has a default" if value is None else hint(value) if isinstance(value, str) else ""
        look.note(where, f"expected {words}, got {show(value)}", note)

    return wrong


def _unhinted(_: str) -> str:
    return ""


def _number_hint(text: str) -> str:
    try:
        float(text)
    except ValueError:
        return ""
    return f"write {text} without quotes"


def _boolean_hint(text: str) -> str:
    return f"write {text.lower()} without quotes" if text.lower() in ("true", "false") else ""


def _instance(kind: type, words: str, hint: Callable[[Any], str] = _unhinted) -> Check:
    wrong = _wrong(words, hint)

    def instance(value: Any, where: Where, look: Look) -> Any:
        return value if isinstance(value, kind) else wrong(value, where, look)

    return instance


def _whole(bits: int, words: str) -> Check:
    wrong = _wrong(words, _number_hint)
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1

    def whole(value: Any, where: Where, look: Look) -> Any:
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # JSON knows one kind of number: 5.0 is five
        if not isinstance(value, int) or isinstance(value, bool):
            return wrong(value, where, look)
        if not low <= value <= high:
            look.note(where, f"must be from {low} to {high}, got {show(value)}")
        return value

    return whole


def _floating(words: str) -> Check:
    wrong = _wrong(words, _number_hint)

    def floating(value: Any, where: Where, look: Look) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            try:
                return float(value)
            except OverflowError:
                return wrong(value, where, look)
        if not isinstance(value, float):
            return wrong(value, where, look)
        if not math.isfinite(value):
            look.note(where, f"must be a finite number, got {value}")
        return value

    return floating


def _base64_bytes(value: Any, where: Where, look: Look) -> Any:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error:
            pass
    return look.note(where, f"expected bytes in base64, got {show(value)}")


def _text(words: str) -> Check:
    wrong = _wrong(words, _unhinted)

    def text(value: Any, where: Where, look: Look) -> Any:
        if not isinstance(value, str):
            return wrong(value, where, look)
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                look.note(where, "contains half of a surrogate pair, which UTF-8 cannot encode")
        return value

    return text


def finite(value: Any) -> Any:
    """Return a number as JSON can say it: None for NaN and the infinities."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_base64(value: bytes | bytearray) -> str:
    """Return bytes as JSON can say them."""
    return base64.b64encode(value).decode("ascii")


STRING = Primitive(
    name="string",
    word="string",
    words="a text",
    check=_text("a text"),
    json_schema={"type": "string"},
    empty="",
    python=str,
    cel="STRING",
    proto="STRING",
    unquoted=True,
)
INT = Primitive(
    name="int",
    word="int",
    words="a whole number",
    check=_whole(32, "a whole number"),
    json_schema={"type": "integer", "format": "int32"},
    empty=0,
    python=int,
    cel="INT",
    proto="INT64",
)
LONG = Primitive(
    name="long",
    word="int",
    words="a whole number",
    check=_whole(64, "a whole number"),
    json_schema={"type": "integer", "format": "int64"},
    empty=0,
    python=int,
    cel="INT",
    proto="INT64",
)
FLOAT = Primitive(
    name="float",
    word="float",
    words="a number",
    check=_floating("a number"),
    json_schema={"type": "number", "format": "float"},
    empty=0.0,
    python=float,
    cel="DOUBLE",
    proto="DOUBLE",
    least=4,
    render=finite,
)
DOUBLE = Primitive(
    name="double",
    word="float",
    words="a number",
    check=_floating("a number"),
    json_schema={"type": "number", "format": "double"},
    empty=0.0,
    python=float,
    cel="DOUBLE",
    proto="DOUBLE",
    least=8,
    render=finite,
)
BOOLEAN = Primitive(
    name="boolean",
    word="bool",
    words="true or false",
    check=_instance(bool, "true or false", _boolean_hint),
    json_schema={"type": "boolean"},
    empty=False,
    python=bool,
    cel="BOOL",
    proto="BOOL",
)
BYTES = Primitive(
    name="bytes",
    word="bytes",
    words="bytes in base64",
    check=_base64_bytes,
    json_schema={"type": "string", "contentEncoding": "base64"},
    empty=b"",
    python=bytes,
    cel="BYTES",
    proto="BYTES",
    written=False,
    render=to_base64,
    refuses=("string",),
)
NULL = Primitive(
    name="null",
    word="null",
    words="null",
    check=_instance(type(None), "null"),
    json_schema={"type": "null"},
    empty=None,
    python=type(None),
    cel="NULL",
    proto="",
    least=0,
    written=False,
)

ROWS = (STRING, INT, LONG, FLOAT, DOUBLE, BOOLEAN, BYTES, NULL)
PRIMITIVES: Mapping[str, Primitive] = {row.name: row for row in ROWS}
"""The rows by Avro's name."""
