"""Values on their way into CEL: the library ends every text at a NUL, so what is only handed on never goes there."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from streams.errors import EvaluationError

_encode = msgspec.json.Encoder().encode

ABSENT: Final = object()
"""What stands at no place."""

_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)


@lru_cache(maxsize=8192)
def path(text: str) -> tuple[str, ...] | None:
    """Return the names of `a.b.c`; None for any other expression."""
    text = text.strip()
    return tuple(text.split(".")) if _PATH.fullmatch(text) else None


def at(names: tuple[str, ...], values: Mapping[str, Any]) -> Any:
    """Return the value at a place, ABSENT when there is no such place."""
    value: Any = values
    for name in names:
        if not isinstance(value, Mapping) or name not in value:
            return ABSENT
        value = value[name]
    return value


def sound(value: Any) -> Any:
    """Return the value with U+FFFD for each NUL in its texts, as the history stores it. Raises EvaluationError when it is nested too deep."""
    try:
        there = b"\\u0000" in _encode(value)  # by far the fastest way to look everywhere
    except (UnicodeEncodeError, OverflowError, TypeError, msgspec.EncodeError):
        there = True
    except RecursionError:
        raise too_deep() from None
    return _mended(value) if there else value


def too_deep() -> EvaluationError:
    """Return the error for a value of too many levels."""
    return EvaluationError("a value is nested too deep")


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, list):
        return [_mended(inner) for inner in value]
    if isinstance(value, Mapping):
        return {_mended(key): _mended(inner) for key, inner in value.items()}
    return value
