"""Values given as text, in a part of a form or on a command line, read as their type says."""

import json
from typing import Any

from schemas.conform import parse_json
from schemas.errors import Nonconforming, Problem
from schemas.shapes import AnyShape, Enum, Primitive, RefShape, Shape, branches

_BOOLEANS = {"true": True, "false": False}


def parse_text(of: Shape, text: str, where: str = "") -> Any:
    """The JSON value that a text stands for in a field of this shape: a text as it is, numbers and the like as in JSON,
    lists and objects as JSON. The result has still to go through `conform`. Raises Nonconforming.
    """
    kinds = list(branches(of))
    if any(kind == Primitive("string") or isinstance(kind, (Enum, RefShape)) for kind in kinds):
        return _json_object(text) if any(isinstance(kind, RefShape) for kind in kinds) else text
    if Primitive("boolean") in kinds and text.strip().lower() in _BOOLEANS:
        return _BOOLEANS[text.strip().lower()]
    try:
        return parse_json(text)
    except Nonconforming as error:
        if any(isinstance(kind, AnyShape) or kind == Primitive("bytes") for kind in kinds):
            return text
        if all(isinstance(kind, Primitive) for kind in kinds):
            return text  # `conform` says what was expected in its place
        raise Nonconforming(
            [Problem(where, one.problem, "give a list or an object as JSON") for one in error.problems]
        ) from None


def _json_object(text: str) -> Any:
    """A ref is given as JSON; anything else (a data URL) stays what it is."""
    if not text.lstrip().startswith("{"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
