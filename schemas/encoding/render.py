"""Avro values as JSON values: bytes in base64, numbers that JSON cannot say as null, refs as the caller wants them."""

from collections.abc import Callable, Mapping
from typing import Any

from schemas.primitives import Primitive, finite, to_base64
from schemas.refs import Ref, is_ref
from schemas.shapes import (
    AnyShape,
    Array,
    Fixed,
    Map,
    Record,
    RefShape,
    Shape,
    Union,
    branches,
    shape,
)

RefForm = Callable[[Ref], Any]


def to_json(schema: Any, value: Any, *, ref: RefForm = Ref.to_dict) -> Any:
    """Return a value of the schema as plain JSON values; `ref` gives the form of each reference to an object."""
    return _render(shape(schema), value, ref)


def any_to_json(value: Any, *, ref: RefForm = Ref.to_dict) -> Any:
    """Do the same for a generic value (of a `millrace.Value`), where every mapping that is a ref counts as one."""
    if isinstance(value, float):
        return finite(value)
    if isinstance(value, (bytes, bytearray)):
        return to_base64(value)
    if isinstance(value, Mapping):
        if is_ref(value):
            return ref(Ref.from_dict(value))
        return {key: any_to_json(item, ref=ref) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [any_to_json(item, ref=ref) for item in value]
    return value


def _render(of: Shape, value: Any, ref: RefForm) -> Any:
    match of:
        case Primitive():
            return value if of.render is None else of.render(value)
        case Fixed():
            return to_base64(value)
        case RefShape():
            return ref(Ref.from_dict(value))
        case AnyShape():
            return any_to_json(value, ref=ref)
        case Array():
            return [_render(of.items, item, ref) for item in value]
        case Map():
            return {key: _render(of.values, item, ref) for key, item in value.items()}
        case Record():
            return {field.name: _render(field.shape, value[field.name], ref) for field in of.fields}
        case Union():
            inner = list(branches(of))
            if value is None:
                return None
            # With several branches the value itself says what it is: records, bytes and floats look like nothing else.
            return _render(inner[0], value, ref) if len(inner) == 1 else any_to_json(value, ref=ref)
    return value
