"""Where two values differ, leaf by leaf, in words that a person reads."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.refs import is_ref
from streams.language.source.document import Place

_LONGEST = 120
_ABSENT = object()


@dataclass(frozen=True)
class Difference:
    """One place where a value is not what was expected; both sides as text."""

    place: Place
    expected: str
    actual: str


def differences(expected: Any, actual: Any, names: Mapping[str, str], place: Place = ()) -> Iterator[Difference]:
    """Yield every difference. `names` has the name of a picture, by its hash. Floats may differ in their last digits."""
    if is_ref(expected) and is_ref(actual):
        if expected["sha256"] != actual["sha256"] or expected["media_type"] != actual["media_type"]:
            yield Difference(place, shown(expected, names), shown(actual, names))
    elif isinstance(expected, Mapping) and isinstance(actual, Mapping) and not is_ref(expected) and not is_ref(actual):
        for key in [*expected, *(key for key in actual if key not in expected)]:
            yield from differences(expected.get(key, _ABSENT), actual.get(key, _ABSENT), names, (*place, key))
    elif isinstance(expected, list) and isinstance(actual, list):
        for at in range(max(len(expected), len(actual))):
            yield from differences(_item(expected, at), _item(actual, at), names, (*place, at))
    elif not _same(expected, actual):
        yield Difference(place, shown(expected, names), shown(actual, names))


def shown(value: Any, names: Mapping[str, str]) -> str:
    """Write a value as text; pictures by what the test calls them."""
    if value is _ABSENT:
        return "nothing"
    text = json.dumps(_named(value, names), ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _named(value: Any, names: Mapping[str, str]) -> Any:
    if is_ref(value):
        return names.get(value["sha256"], f"image {value['sha256'][:12]}")
    if isinstance(value, Mapping):
        return {key: _named(child, names) for key, child in value.items()}
    return [_named(child, names) for child in value] if isinstance(value, list) else value


def _item(values: list[Any], at: int) -> Any:
    return values[at] if at < len(values) else _ABSENT


def _same(expected: Any, actual: Any) -> bool:
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if isinstance(expected, int | float) and isinstance(actual, int | float):
        return expected == actual or math.isclose(expected, actual, rel_tol=1e-9)
    return type(expected) is type(actual) and bool(expected == actual)
