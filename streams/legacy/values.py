"""Build the values and expressions of a converted pipeline."""

from collections.abc import Mapping, Sequence
from typing import Any

from streams.legacy import names
from streams.legacy.conditions import constant


def renamed(values: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
    """Map each legacy name to a name that a record allows, with its value."""
    fields: dict[str, tuple[str, Any]] = {}
    for old, value in values.items():
        new = old if old.isidentifier() and old.isascii() else names.field(old, {name for name, _ in fields.values()})
        fields[old] = (new, value)
    return fields


def either(texts: Sequence[str]) -> str:
    """Return the only expression, or `first()` of several, which takes the first that was not skipped."""
    return texts[0] if len(texts) == 1 else f"first({', '.join(texts)})"


def record(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values under names that a record allows."""
    return dict(renamed(values).values())


def bare(value: Any) -> str:
    """Return the expression inside a template that consists of one; write any other value as a constant."""
    if isinstance(value, str) and value.startswith("${") and value.endswith("}"):
        return value[2:-1]
    return constant(value)
