"""Checks of values that hold no others, and of generic values: value in, the conforming value out, problems noted."""

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from typing import Any

from schemas.errors import Problem
from schemas.nearest import nearest
from schemas.validation.shapes import Array, Enum, Fixed, Primitive, Shape
from schemas.validation.words import describe, found

Where = tuple[Any, str | int] | None
"""The place of a value: its parent's place and its own name or index; None for the whole. A text only when there is a problem."""

MAX_DEPTH = 64
"""Levels of lists and objects inside a value of any type."""

MOST = 100
"""Problems of one value that are listed. A list of a million wrong things has one mistake, and an answer that names each
would be many times as large as what was sent."""

_RANGES = {"int": (-(2**31), 2**31 - 1), "long": (-(2**63), 2**63 - 1)}


class _Enough(Exception):
    """So much is wrong that the rest is not looked at."""


class Look:
    """One pass over one value: the problems found so far, and what makes refs of data URLs."""

    __slots__ = ("image", "problems")

    def __init__(self, image: Callable[[str, Any], Mapping[str, Any]] | None = None) -> None:
        self.problems: list[Problem] = []
        self.image = image

    def note(self, where: Where, problem: str, hint: str = "") -> None:
        """Adds a problem; the one after the last that is listed ends the look."""
        if len(self.problems) >= MOST:
            self.problems.append(Problem("", f"there is more wrong; these are the first {MOST} problems"))
            raise _Enough
        self.problems.append(Problem(text(where), problem, hint))

    def take(self, check: "Check", value: Any, where: Where = None) -> Any:
        """What a check makes of a value; nothing of use when there are problems."""
        try:
            return check(value, where, self)
        except _Enough:
            return None


Check = Callable[[Any, Where, Look], Any]


def text(where: Where) -> str:
    """A place as text: `areas[0].width`."""
    parts: list[str] = []
    while where is not None:
        where, name = where
        parts.append(f"[{name}]" if isinstance(name, int) else f".{name}")
    return "".join(reversed(parts)).removeprefix(".")


def wrong_type(of: Shape) -> Check:
    """Notes that a value is not of this shape, with a hint where the mistake is a known one."""
    expected = describe(of)

    def wrong(value: Any, where: Where, look: Look) -> Any:
        look.note(where, f"expected {expected}, got {found(value)}", _hint(of, value))

    return wrong


def _hint(of: Shape, value: Any) -> str:
    if isinstance(value, str) and isinstance(of, Primitive):
        if of.kind in ("int", "long", "float", "double"):
            try:
                float(value)
            except ValueError:
                return ""
            return f"write {value} without quotes"
        if of.kind == "boolean" and value.lower() in ("true", "false"):
            return f"write {value.lower()} without quotes"
    if value is None:
        return "leave it out where it has a default"
    if isinstance(of, Array):
        return "put it in a list: [ … ]"
    return ""


def _simple(kind: str, *types: type) -> Check:
    wrong = wrong_type(Primitive(kind))

    def simple(value: Any, where: Where, look: Look) -> Any:
        return value if isinstance(value, types) else wrong(value, where, look)

    return simple


def _whole(kind: str) -> Check:
    wrong = wrong_type(Primitive(kind))
    low, high = _RANGES[kind]

    def whole(value: Any, where: Where, look: Look) -> Any:
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # JSON knows one kind of number: 5.0 is five
        if not isinstance(value, int) or isinstance(value, bool):
            return wrong(value, where, look)
        if not low <= value <= high:
            look.note(where, f"must be from {low} to {high}, got {found(value)}")
        return value

    return whole


def _floating(kind: str) -> Check:
    wrong = wrong_type(Primitive(kind))

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


def _bytes(value: Any, where: Where, look: Look) -> Any:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error:
            pass
    return look.note(where, f"expected bytes in base64, got {found(value)}")


def _string(value: Any, where: Where, look: Look) -> Any:
    if not isinstance(value, str):
        return _not_text(value, where, look)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            look.note(where, "holds half of a surrogate pair, which UTF-8 cannot say")
    return value


_not_text = wrong_type(Primitive("string"))

PRIMITIVES: Mapping[str, Check] = {
    "null": _simple("null", type(None)),
    "boolean": _simple("boolean", bool),
    "int": _whole("int"),
    "long": _whole("long"),
    "float": _floating("float"),
    "double": _floating("double"),
    "bytes": _bytes,
    "string": _string,
}


def any_value(value: Any, where: Where, look: Look, depth: int = 0) -> Any:
    """The check of a value of any type: what JSON can say, within 64 bits and MAX_DEPTH."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _string(value, where, look)
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            look.note(where, f"must be a number of 64 bits, got {found(value)}")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            look.note(where, f"must be a finite number, got {value}")
        return value
    if depth == MAX_DEPTH:
        return look.note(where, f"is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, (list, tuple)):
        return [any_value(item, (where, index), look, depth + 1) for index, item in enumerate(value)]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {
            _string(key, (where, key), look): any_value(item, (where, key), look, depth + 1)
            for key, item in value.items()
        }
    return look.note(where, f"expected a value that JSON can say, got {found(value)}")


def choice(value: Any, choices: tuple[Any, ...], where: Where, look: Look) -> None:
    """Notes that a value is none of the choices."""
    near = nearest(value, (one for one in choices if isinstance(one, str))) if isinstance(value, str) else None
    hint = f"did you mean {near!r}?" if near else ""
    look.note(where, f"must be one of {', '.join(map(str, choices))}, got {found(value)}", hint)


def enum(of: Enum) -> Check:
    """The check of an Avro enum."""
    symbols = frozenset(of.symbols)

    def symbol(value: Any, where: Where, look: Look) -> Any:
        if isinstance(value, str) and value in symbols:
            return value
        return choice(value, of.symbols, where, look)

    return symbol


def fixed(of: Fixed) -> Check:
    """The check of bytes of one length, in base64."""

    def sized(value: Any, where: Where, look: Look) -> Any:
        made = _bytes(value, where, look)
        if made is not None and len(made) != of.size:
            look.note(where, f"must be {of.size} bytes, got {len(made)}")
        return made

    return sized
