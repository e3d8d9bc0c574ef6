"""Checks of values that hold no others, and of generic values: value in, the conforming value out, problems noted."""

import math
from collections.abc import Mapping
from typing import Any

from schemas.inspection import Check, Look, Where, show
from schemas.nearest import nearest
from schemas.primitives import BYTES, STRING
from schemas.shapes import Array, Enum, Fixed, Shape
from schemas.validation.words import describe

MAX_DEPTH = 64
"""Levels of lists and objects inside a value of any type."""


def wrong_type(of: Shape) -> Check:
    """Return a check that notes that a value is not of this shape, with a hint where the mistake is a known one."""
    expected = describe(of)

    def wrong(value: Any, where: Where, look: Look) -> Any:
        look.note(where, f"expected {expected}, got {show(value)}", _hint(of, value))

    return wrong


def _hint(of: Shape, value: Any) -> str:
    if value is None:
        return "leave it out where it has a default"
    if isinstance(of, Array):
        return "put it in a list: [ … ]"
    return ""


def any_value(value: Any, where: Where, look: Look, depth: int = 0) -> Any:
    """Check a value of any type: what JSON can say, within 64 bits and MAX_DEPTH."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return STRING.check(value, where, look)
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            look.note(where, f"must be a number of 64 bits, got {show(value)}")
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
            STRING.check(key, (where, key), look): any_value(item, (where, key), look, depth + 1)
            for key, item in value.items()
        }
    return look.note(where, f"expected a value that JSON can say, got {show(value)}")


def choice(value: Any, choices: tuple[Any, ...], where: Where, look: Look) -> None:
    """Note that a value is not one of the choices."""
    near = nearest(value, (choice for choice in choices if isinstance(choice, str))) if isinstance(value, str) else None
    hint = f"did you mean {near!r}?" if near else ""
    look.note(where, f"must be one of {', '.join(map(str, choices))}, got {show(value)}", hint)


def enum(of: Enum) -> Check:
    """Return the check of an Avro enum."""
    symbols = frozenset(of.symbols)

    def symbol(value: Any, where: Where, look: Look) -> Any:
        if isinstance(value, str) and value in symbols:
            return value
        return choice(value, of.symbols, where, look)

    return symbol


def fixed(of: Fixed) -> Check:
    """Return the check of bytes of one length, in base64."""

    def sized(value: Any, where: Where, look: Look) -> Any:
        data = BYTES.check(value, where, look)
        if data is not None and len(data) != of.size:
            look.note(where, f"must be {of.size} bytes, got {len(data)}")
        return data

    return sized
