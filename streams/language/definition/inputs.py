"""The `input:` of a pipeline: names, types, defaults and ranges."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from schemas.encoding.codec import Nonconforming, conform
from streams.language.source.document import Place, written
from streams.language.source.identifiers import FIELD_NAME, wrong_name
from streams.language.types import WORDS, Field, Kind, Type, list_of, record_of, record_schema

LONG_FORM = frozenset({"type", "default", "minimum", "maximum", "enum", "summary"})
Refuse = Callable[[Place, str, str], None]
Suggest = Callable[[str, Iterable[str]], str]


def read_inputs(data: Any, place: Place, refuse: Refuse, suggest: Suggest) -> tuple[Field, ...]:
    """Return the inputs that a mapping declares; problems go to `refuse`."""
    if not isinstance(data, dict):
        refuse(place, "input is a mapping from a name to its type", "such as `photo: image`")
        return ()
    return tuple(_input(name, value, (*place, name), refuse, suggest) for name, value in data.items())


def _input(name: str, value: Any, place: Place, refuse: Refuse, suggest: Suggest) -> Field:
    wrong = wrong_name(name)
    if wrong:
        refuse(place, *wrong)
    if isinstance(value, dict) and "type" in value:
        # A record may have a field `type`; the values of its other fields are types, however they are written.
        mistyped = [key for key, option in value.items() if key not in LONG_FORM and not _like_a_type(option)]
        for key in mistyped:
            refuse((*place, key), f"unknown key {key!r}", suggest(key, LONG_FORM))
        value = {key: option for key, option in value.items() if key not in mistyped}
    if not (isinstance(value, dict) and "type" in value and set(value) <= LONG_FORM):
        return Field(name, read_type(value, place, refuse, suggest))
    kind = read_type(value["type"], (*place, "type"), refuse, suggest)
    single = kind.item if kind.kind is Kind.LIST and kind.item else kind  # of a list, the items are bounded
    bare = Field(
        name,
        kind,
        doc=str(value.get("summary", "")),
        minimum=_bound("minimum", value, single, place, refuse),
        maximum=_bound("maximum", value, single, place, refuse),
    )
    field = replace(bare, enum=_enum(value.get("enum", []), single, (*place, "enum"), refuse))
    if "default" not in value:
        return field
    if kind.kind is Kind.IMAGE:
        refuse((*place, "default"), "an image has no default", "leave it out: the caller gives the image")
        return field
    default = _fitting(field, value["default"], (*place, "default"), refuse)
    return replace(field, default=default, required=False)


def _like_a_type(value: Any) -> bool:
    return isinstance(value, list | dict) or (isinstance(value, str) and value in WORDS)


def read_type(value: Any, place: Place, refuse: Refuse, suggest: Suggest) -> Type:
    """Read a type: a word, `[T]` or `{field: T}`. One that cannot be read goes to `refuse`, and is `any`."""
    if isinstance(value, str) and value in WORDS:
        return WORDS[value]
    if isinstance(value, list) and len(value) == 1:
        return list_of(read_type(value[0], (*place, 0), refuse, suggest))
    if isinstance(value, dict) and value:
        for key in value:
            if not FIELD_NAME.fullmatch(key):
                refuse(
                    (*place, key),
                    f"{key!r} is not a valid field name",
                    "letters, digits and _, beginning with a letter",
                )
        return record_of(
            {key: read_type(field_type, (*place, key), refuse, suggest) for key, field_type in value.items()}
        )
    hint = (
        suggest(value, WORDS) if isinstance(value, str) else "string, int, float, bool, image, any, [T] or {field: T}"
    )
    refuse(place, f"{written(value)} is no type", hint)
    return WORDS["any"]


def _bound(key: str, value: dict[str, Any], kind: Type, place: Place, refuse: Refuse) -> float | None:
    bound = value.get(key)
    if bound is None:
        return None
    if isinstance(bound, bool) or not isinstance(bound, int | float) or kind.kind not in (Kind.INT, Kind.FLOAT):
        refuse((*place, key), f"{key} is a number, for an int or a float, or a list of them", "")
        return None
    return bound


def _enum(values: Any, kind: Type, place: Place, refuse: Refuse) -> tuple[Any, ...]:
    if not isinstance(values, list):
        refuse(place, "enum is a list of the values that are allowed", "")
        return ()
    return tuple(_fitting(Field("value", kind), value, (*place, i), refuse) for i, value in enumerate(values))


def _fitting(field: Field, value: Any, place: Place, refuse: Refuse) -> Any:
    """Return the value as one of the field's own type (Avro wants a float's default to be a float); report one that is not."""
    try:
        return conform(record_schema("Input", (field,)), {field.name: value})[field.name]
    except Nonconforming as error:
        for problem in error.problems:
            at = problem.where.removeprefix(field.name).lstrip(".")
            refuse(place, f"{at}: {problem.problem}" if at else problem.problem, problem.hint)
        return value
