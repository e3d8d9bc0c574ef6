"""What a mock leaves out: a field's default, else an empty value of its type, so that a test says only what it is about."""

from collections.abc import Mapping
from typing import Any

from schemas.primitives import Primitive
from schemas.shapes import (
    AnyShape,
    Array,
    Enum,
    Field,
    Fixed,
    Map,
    Record,
    RefShape,
    Shape,
    Union,
    branches,
)
from streams.testing.cases.pictures import MADE_UP, Pictures


def filled(of: Shape, value: Any, name: str, pictures: Pictures) -> Any:
    """Return the value with every field that a record in it lacks; `name` is what a picture that is made up is called."""
    if isinstance(of, Union):
        inner = list(branches(of))
        return filled(inner[0], value, name, pictures) if len(inner) == 1 and value is not None else value
    if isinstance(of, Array) and isinstance(value, list):
        return [filled(of.items, child, f"{name}[{at}]", pictures) for at, child in enumerate(value)]
    if isinstance(of, Map) and isinstance(value, Mapping):
        return {key: filled(of.values, child, f"{name}.{key}", pictures) for key, child in value.items()}
    if isinstance(of, Record) and isinstance(value, Mapping):
        known = {field.name: field for field in of.fields}
        known_values = {
            key: filled(known[key].shape, child, f"{name}.{key}", pictures) if key in known else child
            for key, child in value.items()
        }
        lacking = (field for field in of.fields if field.name not in value and field.required)
        return {
            **known_values,
            **{field.name: _empty_field(field, f"{name}.{field.name}", pictures) for field in lacking},
        }
    return value


def _empty_field(field: Field, name: str, pictures: Pictures) -> Any:
    value = _empty(field.shape, name, pictures)
    if field.enum and value is not None and not isinstance(value, list):
        return field.enum[0]
    if isinstance(value, int | float) and not isinstance(value, bool):
        low = value if field.minimum is None else max(value, field.minimum)
        return low if field.maximum is None else min(low, field.maximum)
    return value


def _empty(of: Shape, name: str, pictures: Pictures) -> Any:
    match of:
        case Primitive():
            return of.empty
        case RefShape():
            return pictures.ref(f"{MADE_UP}{name}")
        case AnyShape():
            return None
        case Array():
            return []
        case Map():
            return {}
        case Enum():
            return of.symbols[0]
        case Fixed():
            return b"\0" * of.size
        case Union():
            return None if of.optional else _empty(of.branches[0], name, pictures)
        case Record():
            return {
                field.name: _empty_field(field, f"{name}.{field.name}", pictures)
                for field in of.fields
                if field.required
            }
