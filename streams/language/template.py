"""A value with expressions inside: `${…}` alone keeps its type, in a text it becomes text; lists and records hold more."""

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from schemas.inspection import show as kind_of
from streams.errors import Blame, EvaluationError, MillraceError
from streams.language.expressions import reserved_words
from streams.language.expressions.expression import (
    MAX_LENGTH,
    TOO_LONG_HINT,
    BadExpression,
    Condition,
    Expression,
    parse,
    written,
)
from streams.language.expressions.value_limits import Budget, Room
from streams.language.source.document import Place
from streams.language.source.identifiers import FIELD_NAME
from streams.language.types import ANY, BOOL, FLOAT, INT, NULL, STRING, Kind, Type, common, list_of, record_of


class Const(msgspec.Struct, frozen=True, tag="const"):
    """A plain value."""

    value: Any


class Text(msgspec.Struct, frozen=True, tag="text"):
    """A text with expressions in it: strings and expressions in turn."""

    parts: tuple[str | Expression, ...]


class Items(msgspec.Struct, frozen=True, tag="list"):
    """A list of templates."""

    items: tuple["Template", ...]


class Fields(msgspec.Struct, frozen=True, tag="record"):
    """A record of templates."""

    fields: dict[str, "Template"]


Template = Const | Text | Items | Fields | Expression


MAX_TEXT = 64 * 1024
"""Characters of a text that has expressions in it."""
COMPUTED = "a key is written out, not computed"
COMPUTED_HINT = 'a map of computed keys is an expression: "${{name: value}}"'


class BadTemplate(MillraceError, ValueError):
    """An expression inside a value is not right; `offset` counts characters of the string at `place`."""

    blame = Blame.AUTHOR

    def __init__(self, place: Place, error: BadExpression, offset: int) -> None:
        self.place, self.offset, self.hint = place, offset, error.hint
        super().__init__(str(error))


def read(value: Any, place: Place) -> Template:
    """Read the template that a piece of YAML says. Raises BadTemplate with the place inside the file."""
    if isinstance(value, str):
        return _text(value, place)
    if isinstance(value, list):
        return Items(tuple(read(child, (*place, i)) for i, child in enumerate(value)))
    if isinstance(value, dict):
        computed = next((key for key in value if "${" in key), None)
        if computed is not None:
            raise BadTemplate((*place, computed), BadExpression(COMPUTED, hint=COMPUTED_HINT), 0)
        return Fields({key: read(child, (*place, key)) for key, child in value.items()})
    return Const(value)


@functools.lru_cache(maxsize=8192)
def pieces(text: str) -> tuple[tuple[str, int, bool], ...]:
    """Cut a text at its `${…}`: (piece, offset, whether it is an expression). `$${` stands for `${` itself. Raises BadExpression."""
    split: list[tuple[str, int, bool]] = []
    if len(text) > MAX_TEXT and "${" in text:
        raise BadExpression(
            f"a text of more than {MAX_TEXT:,} characters with ${{…}} in it", hint="split it over value nodes"
        )
    at = since = 0
    while (at := text.find("${", at)) >= 0:
        if at and text[at - 1] == "$":
            at += 2
            continue
        end = _closing(text, at + 2)
        if at > since:
            split.append((text[since:at], since, False))
        split.append((text[at + 2 : end], at + 2, True))
        at = since = end + 1
    if since < len(text) or not split:
        split.append((text[since:], since, False))
    return tuple((piece if code else piece.replace("$${", "${"), offset, code) for piece, offset, code in split)


_QUOTED = re.compile(reserved_words.STRING, re.DOTALL)
_TELLING = re.compile(r"""[{}'"]|[rRbB]{1,2}['"]""")
"""Where a brace stands, or where a string may begin."""


def _closing(text: str, start: int) -> int:
    # No expression is longer than MAX_LENGTH, which bounds how far each quote is followed in vain.
    depth, at, end = 1, start, start + MAX_LENGTH + 1
    while match := _TELLING.search(text, at, end):
        at = match.start()
        quoted = _QUOTED.match(text, at, end)
        if quoted:
            at = quoted.end()
            continue
        depth += (text[at] == "{") - (text[at] == "}")
        if depth == 0:
            return at
        at += 1
    if len(text) > end:
        raise BadExpression(f"the expression is longer than {MAX_LENGTH} characters", start, TOO_LONG_HINT)
    raise BadExpression("${ is never closed", start - 2, "write ${expression}, or $${ for the two characters")


def _text(text: str, place: Place) -> Template:
    try:
        cut = pieces(text)
    except BadExpression as error:
        raise BadTemplate(place, error, error.offset) from None
    parts: list[str | Expression] = []
    for piece, offset, code in cut:
        if not code:
            parts.append(piece)
            continue
        try:
            parts.append(parse(piece))
        except BadExpression as error:
            raise BadTemplate(place, error, offset + error.offset) from None
    if len(parts) == 1:
        return parts[0] if isinstance(parts[0], Expression) else Const(parts[0])
    return Text(tuple(parts))


def computed_keys(value: Any, place: Place) -> Iterator[Place]:
    """Yield the places of the keys inside a value that hold an expression."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        if isinstance(key, str) and "${" in key:
            yield (*place, key)
        yield from computed_keys(child, (*place, key))


def expressions(template: Template) -> Iterator[Expression]:
    """Yield every expression inside."""
    if isinstance(template, Expression):
        yield template
    elif isinstance(template, Text):
        yield from (part for part in template.parts if isinstance(part, Expression))
    elif isinstance(template, Items):
        for child in template.items:
            yield from expressions(child)
    elif isinstance(template, Fields):
        for child in template.fields.values():
            yield from expressions(child)


def needs(*templates: Template | None) -> Condition:
    """Return what must be there for all of these to be evaluated."""
    condition = Condition()
    for template in templates:
        if template is not None:
            for expression in expressions(template):
                condition &= expression.needs
    return condition


def evaluate(template: Template, values: Mapping[str, Any], budget: Budget | None = None) -> Any:
    """Return the value, with `values` by name; `budget` is that of the walk. Raises EvaluationError."""
    return template.value if isinstance(template, Const) else _evaluate(template, values, Room(budget))


def _evaluate(template: Template, values: Mapping[str, Any], room: Room) -> Any:
    if isinstance(template, Const):
        return template.value
    if isinstance(template, Expression):
        return template.evaluate(values, room)
    if isinstance(template, Items):
        return [_evaluate(item, values, room) for item in template.items]
    if isinstance(template, Fields):
        return {key: _evaluate(field, values, room) for key, field in template.fields.items()}
    parts = (part if isinstance(part, str) else _shown(part.evaluate(values, room), part) for part in template.parts)
    return "".join(parts)


def _shown(value: Any, expression: Expression) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return written(value)
    if isinstance(value, str | int):
        return str(value)
    raise EvaluationError(
        f"{expression.text}: {kind_of(value)} cannot stand inside a text", "give one string or number"
    )


def type_of(value: Any, place: Place, check: Callable[[str, Place, int], Type]) -> Type:
    """Return the type of a piece of YAML; `check(expression, place, offset)` types one expression (and reports what is wrong)."""
    if isinstance(value, str):
        cut = pieces(value)
        kinds = [check(piece, place, offset) for piece, offset, code in cut if code]
        return kinds[0] if len(cut) == 1 and kinds else STRING
    if isinstance(value, list):
        return list_of(merged([type_of(child, (*place, i), check) for i, child in enumerate(value)]))
    if isinstance(value, dict):
        fields = {key: type_of(child, (*place, key), check) for key, child in value.items()}
        if all(map(FIELD_NAME.fullmatch, fields)):
            return record_of(fields)
        return Type(Kind.MAP, item=merged(list(fields.values())))  # such as the headers of a request
    return next((kind for python, kind in _CONSTANTS if isinstance(value, python)), ANY)


_CONSTANTS: tuple[tuple[type, Type], ...] = ((bool, BOOL), (int, INT), (float, FLOAT), (type(None), NULL))


def merged(kinds: list[Type]) -> Type:
    """Return the type of the items of a list: what they have in common, `any` when that is nothing."""
    merged_type = kinds[0] if kinds else Type(Kind.ANY)
    for kind in kinds[1:]:
        merged_type = common(merged_type, kind) or ANY
    return merged_type
