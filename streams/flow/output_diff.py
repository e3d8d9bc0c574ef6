"""Where two outputs of the same request differ, by JSON path. Pure; objects count as equal when their bytes are."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.refs import is_ref

MOST = 50
"""Differences that are told of one pair."""
_SHOWN = 120
"""Characters of a value that are told."""
ABSENT = "(absent)"


@dataclass(frozen=True)
class Difference:
    """One place where they differ, and what stands there, in short."""

    path: str
    one: str
    other: str

    def to_json(self) -> dict[str, str]:
        """The form in which it is kept and told."""
        return {"path": self.path, "active": self.one, "candidate": self.other}


def differences(one: Any, other: Any, most: int = MOST) -> list[Difference]:
    """The places where two values differ, in the order of the fields; at most so many."""
    found = []
    for difference in _walk(one, other, "$"):
        found.append(difference)
        if len(found) >= most:
            break
    return found


def _walk(one: Any, other: Any, path: str) -> Iterator[Difference]:
    if is_ref(one) and is_ref(other):
        if any(one[name] != other[name] for name in ("sha256", "media_type")):
            yield Difference(path, _object(one), _object(other))
    elif isinstance(one, Mapping) and isinstance(other, Mapping):
        for name in [*one, *(name for name in other if name not in one)]:
            yield from _inside(one.get(name, _NOTHING), other.get(name, _NOTHING), f"{path}.{name}")
    elif isinstance(one, list) and isinstance(other, list):
        for index in range(max(len(one), len(other))):
            mine = one[index] if index < len(one) else _NOTHING
            theirs = other[index] if index < len(other) else _NOTHING
            yield from _inside(mine, theirs, f"{path}[{index}]")
    elif not _equal(one, other):
        yield Difference(path, short(one), short(other))


def _inside(one: Any, other: Any, path: str) -> Iterator[Difference]:
    if one is _NOTHING or other is _NOTHING:
        yield Difference(path, ABSENT if one is _NOTHING else short(one), ABSENT if other is _NOTHING else short(other))
    else:
        yield from _walk(one, other, path)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other):
        return True
    return bool(one == other)


def _object(ref: Mapping[str, Any]) -> str:
    return f"{ref['media_type']}, {ref['size']} bytes, {ref['sha256'][:12]}"


def short(value: Any, most: int = _SHOWN) -> str:
    """A value as JSON, cut to so many characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= most else f"{text[: most - 1]}…"


_NOTHING = object()
