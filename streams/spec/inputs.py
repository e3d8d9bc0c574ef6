"""The `input:` of a pipeline: names, types, defaults and ranges."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from streams.spec.source import Place
from streams.types import WORDS, Field, Kind, Type, list_of, record_of

LONG_FORM = frozenset({"type", "default", "minimum", "maximum", "enum", "summary"})
_NAME = re.compile(r"[a-z][a-z0-9_]*")

Refuse = Callable[[Place, str, str], None]
Suggest = Callable[[str, Iterable[str]], str]


def read_inputs(data: Any, place: Place, refuse: Refuse, suggest: Suggest) -> tuple[Field, ...]:
    """The inputs that a mapping declares; problems go to `refuse`."""
    if not isinstance(data, dict):
        refuse(place, "input is a mapping from a name to its type", "such as `photo: image`")
        return ()
    return tuple(_input(name, value, (*place, name), refuse, suggest) for name, value in data.items())


def _input(name: str, value: Any, place: Place, refuse: Refuse, suggest: Suggest) -> Field:
    if not _NAME.fullmatch(name):
        refuse(place, f"{name!r} is no input name", "lower-case letters, digits and _, beginning with a letter")
    if not (isinstance(value, dict) and "type" in value and set(value) <= LONG_FORM):
        return Field(name, read_type(value, place, refuse, suggest))
    kind = read_type(value["type"], (*place, "type"), refuse, suggest)
    enum = value.get("enum", ())
    if not isinstance(enum, list | tuple):
        refuse((*place, "enum"), "enum is a list of the values that are allowed", "")
        enum = ()
    made = Field(
        name,
        kind,
        default=_number(kind, value.get("default")),
        required="default" not in value,
        doc=str(value.get("summary", "")),
        minimum=_bound("minimum", value, kind, place, refuse),
        maximum=_bound("maximum", value, kind, place, refuse),
        enum=tuple(enum),
    )
    problem = _fits(made) if "default" in value else None
    if problem:
        refuse((*place, "default"), problem, "")
    return made


def read_type(value: Any, place: Place, refuse: Refuse, suggest: Suggest) -> Type:
    """A type: a word, `[T]` or `{field: T}`."""
    if isinstance(value, str) and value in WORDS:
        return WORDS[value]
    if isinstance(value, list) and len(value) == 1:
        return list_of(read_type(value[0], (*place, 0), refuse, suggest))
    if isinstance(value, dict) and value:
        return record_of({key: read_type(one, (*place, key), refuse, suggest) for key, one in value.items()})
    hint = (
        suggest(value, WORDS) if isinstance(value, str) else "string, int, float, bool, image, any, [T] or {field: T}"
    )
    refuse(place, f"{value!r} is no type", hint)
    return WORDS["any"]


def _bound(key: str, value: dict[str, Any], kind: Type, place: Place, refuse: Refuse) -> float | None:
    bound = value.get(key)
    if bound is None:
        return None
    if isinstance(bound, bool) or not isinstance(bound, int | float) or kind.kind not in (Kind.INT, Kind.FLOAT):
        refuse((*place, key), f"{key} is a number, for an int or a float", "")
        return None
    return bound


_PYTHON: dict[Kind, tuple[type, ...]] = {
    Kind.STRING: (str,),
    Kind.INT: (int,),
    Kind.FLOAT: (int, float),
    Kind.BOOL: (bool,),
    Kind.LIST: (list,),
    Kind.RECORD: (dict,),
}


def _fits(one: Field) -> str | None:
    expected = _PYTHON.get(one.type.kind)
    value = one.default
    if one.type.kind is Kind.IMAGE:
        return "an image has no default"
    if expected and (not isinstance(value, expected) or (isinstance(value, bool) and one.type.kind is not Kind.BOOL)):
        return f"the default {value!r} is not of type {one.type}"
    if (one.minimum is not None and value < one.minimum) or (one.maximum is not None and value > one.maximum):
        return f"the default {value!r} is outside of what is allowed"
    if one.enum and value not in one.enum:
        return f"the default {value!r} is none of {list(one.enum)}"
    return None


def _number(kind: Type, value: Any) -> Any:
    """A whole number for a float is a float: Avro defaults must have the schema's own type."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if kind.kind is Kind.FLOAT and whole else value
