"""Checks a JSON-like value against an Avro schema: every problem at once, defaults filled in, whole numbers turned into floats."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from schemas.errors import BadSchema, Nonconforming, Problem
from schemas.inspection import Check, Look
from schemas.memo import Memo
from schemas.shapes import Field, Record, shape
from schemas.validation import strict
from schemas.validation.checks import compile_check

ImageHook = Callable[[str, Any], Mapping[str, Any]]
"""Turns a value in an image's place that is not an object (a data URL) into a ref; takes its path too. ValueError says why not."""


def conform(schema: Any, value: Any, *, image: ImageHook | None = None) -> Any:
    """Return a copy of `value` that is exactly of the schema: defaults filled in, numbers of the right kind, bounds kept.

    In the place of a ref, `{"ref": {…}}` (as outputs show an image) is accepted too. Raises Nonconforming with every problem, or the first MOST.
    """
    look = Look(image)
    conforming = look.take(_checks(schema), value)
    if look.problems:
        raise Nonconforming(look.problems)
    return conforming


def conform_field(field: Field, value: Any) -> Any:
    """Return the value of one field of a record as `conform` returns it. Raises Nonconforming, naming the field."""
    look = Look(None)
    conforming = look.take(compile_check(Record("", fields=(replace(field, required=True),))), {field.name: value})
    if look.problems:
        raise Nonconforming(look.problems)
    return conforming[field.name]


def parse_json(data: bytes | str) -> Any:
    """Return the value of JSON text. Raises Nonconforming, which says where the text breaks off or what it contains that is not allowed."""
    try:
        return strict.parse(data)
    except strict.NotTaken as error:
        problem = Problem("", str(error))
    raise Nonconforming([problem])


def _compile(schema: Any) -> Check:
    try:
        return compile_check(shape(schema))
    except RecursionError as error:
        raise BadSchema("a record that holds itself cannot be checked") from error


_checks: Memo[Check] = Memo(_compile)
