"""Values and expressions that the import puts together."""

from collections.abc import Mapping, Sequence
from typing import Any

from streams.legacy import names
from streams.legacy.conditions import constant


def renamed(given: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
    """Old name → (name that a record allows, value)."""
    made: dict[str, tuple[str, Any]] = {}
    for old, value in given.items():
        new = old if old.isidentifier() and old.isascii() else names.field(old, {one for one, _ in made.values()})
        made[old] = (new, value)
    return made


def either(texts: Sequence[str]) -> str:
    """The one expression, or the first of several whose node was not skipped."""
    return texts[0] if len(texts) == 1 else f"first({', '.join(texts)})"


def record(given: Mapping[str, Any]) -> dict[str, Any]:
    """The values under names that a record allows."""
    return dict(renamed(given).values())


def bare(value: Any) -> str:
    """The expression of a template that was made here."""
    if isinstance(value, str) and value.startswith("${") and value.endswith("}"):
        return value[2:-1]
    return constant(value)
