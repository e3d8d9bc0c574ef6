"""JSON from outside, by one rule at every edge: UTF-8, each name once in an object, finite numbers, text that can be stored."""

import json
from typing import Any

from schemas.errors import Blame, MillraceError
from schemas.validation.scalars import MAX_DEPTH


class NotTaken(MillraceError, ValueError):
    """Text that is not JSON, or a value that is not accepted; the message says why, and for text where."""

    blame = Blame.CALLER


def parse(data: bytes | str, depth: int = MAX_DEPTH) -> Any:
    """Return the value of JSON text, with or without a byte order mark, of at most `depth` levels. Raises NotTaken."""
    try:
        text = data if isinstance(data, str) else data.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_constant, object_pairs_hook=_members)
    except UnicodeDecodeError as error:
        raise NotTaken(f"not UTF-8 text: {error.reason} at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise NotTaken(f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise NotTaken(_too_deep(depth)) from None
    except ValueError as error:
        raise NotTaken(f"not JSON: {error}") from None
    check(value, depth)
    return value


def check(value: Any, depth: int = MAX_DEPTH) -> None:
    """Raise NotTaken for a value with more levels, or with text that cannot be stored: a NUL, half of a surrogate pair."""
    level = [value]
    for _ in range(depth + 1):
        inner: list[Any] = []
        for part in level:
            if isinstance(part, dict):
                for name in part:
                    _check_text(name)
                inner.extend(part.values())
            elif isinstance(part, list):
                inner.extend(part)
            elif isinstance(part, str):
                _check_text(part)
        if not inner:
            return
        level = inner
    raise NotTaken(_too_deep(depth))


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"the name {name!r:.80} appears twice in one object")
            seen.add(name)
    return members


def _check_text(text: str) -> None:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise NotTaken("text with half of a surrogate pair in it") from None
    if "\0" in text:
        raise NotTaken("text with a NUL character in it")


def _too_deep(depth: int) -> str:
    return f"more than {depth} levels of lists and objects inside each other"
