"""Compare two outputs of the same request by JSON path. Pure; objects are equal when their bytes are."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from schemas.refs import is_ref

MOST = 50
"""Differences of one pair that are reported."""
_SHOWN = 120
"""Characters of a value that are shown."""
ABSENT = "(absent)"


@dataclass(frozen=True)
class Difference:
    """One place where two outputs differ, with both values in short."""

    path: str
    active: str
    candidate: str

    def to_json(self) -> dict[str, str]:
        """Return the form in which it is stored and reported."""
        return {"path": self.path, "active": self.active, "candidate": self.candidate}


def differences(active: Any, candidate: Any, most: int = MOST) -> list[Difference]:
    """Return the places where two values differ, in the order of the fields; at most `most`."""
    return list(islice(_walk(active, candidate, "$"), most))


def _walk(active: Any, candidate: Any, path: str) -> Iterator[Difference]:
    if is_ref(active) and is_ref(candidate):
        if any(active[name] != candidate[name] for name in ("sha256", "media_type")):
            yield Difference(path, _object(active), _object(candidate))
    elif isinstance(active, Mapping) and isinstance(candidate, Mapping):
        for name in [*active, *(name for name in candidate if name not in active)]:
            yield from _inside(active.get(name, _NOTHING), candidate.get(name, _NOTHING), f"{path}.{name}")
    elif isinstance(active, list) and isinstance(candidate, list):
        for index in range(max(len(active), len(candidate))):
            left = active[index] if index < len(active) else _NOTHING
            right = candidate[index] if index < len(candidate) else _NOTHING
            yield from _inside(left, right, f"{path}[{index}]")
    elif not _equal(active, candidate):
        yield Difference(path, short(active), short(candidate))


def _inside(active: Any, candidate: Any, path: str) -> Iterator[Difference]:
    if active is _NOTHING or candidate is _NOTHING:
        yield Difference(
            path, ABSENT if active is _NOTHING else short(active), ABSENT if candidate is _NOTHING else short(candidate)
        )
    else:
        yield from _walk(active, candidate, path)


def _equal(active: Any, candidate: Any) -> bool:
    if isinstance(active, bool) or isinstance(candidate, bool):
        return active is candidate
    if isinstance(active, float) and isinstance(candidate, float) and math.isnan(active) and math.isnan(candidate):
        return True
    return bool(active == candidate)


def _object(ref: Mapping[str, Any]) -> str:
    return f"{ref['media_type']}, {ref['size']} bytes, {ref['sha256'][:12]}"


def short(value: Any, most: int = _SHOWN) -> str:
    """Return a value as JSON, cut to `most` characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= most else f"{text[: most - 1]}…"


_NOTHING = object()
