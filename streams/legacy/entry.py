"""Convert the entry of a legacy pipeline to inputs."""

from collections.abc import Iterator, Mapping
from typing import Any

_WORDS: Mapping[str, str] = {
    "string": "string",
    "text": "string",
    "str": "string",
    "int": "int",
    "integer": "int",
    "float": "float",
    "number": "float",
    "double": "float",
    "bool": "bool",
    "boolean": "bool",
    "json": "any",
    "object": "any",
    "any": "any",
    "file": "image",
    "binary": "image",
    "image": "image",
    "application/json": "any",
    "text/plain": "string",
}


def inputs(body: Any) -> Iterator[tuple[str, Any, str]]:
    """Yield name, type and problem ("" without one) of each input of a body: one file, several, or a JSON object by example."""
    match body:
        case None:
            return
        case str():
            yield body, "image", ""
        case list():
            for item in body:
                yield from _input(item)
        case dict():
            for name, example in body.items():
                yield name, _example(example), ""
        case _:
            yield "", "any", f"{body!r} describes no inputs"


def _input(value: Any) -> Iterator[tuple[str, Any, str]]:
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        kind = value.get("type", "file")
        kinds = kind if isinstance(kind, list) else [kind]
        types = {_type(word) for word in kinds if isinstance(word, str)}
        if len(types) == 1 and None not in types:
            yield value["name"], types.pop(), ""
        else:
            yield value["name"], "any", f"{kind!r} is not a known type"
    elif isinstance(value, str | dict):
        yield from inputs(value)
    else:
        yield "", "any", f"{value!r} describes no input"


def _type(word: str) -> str | None:
    return "image" if word.startswith("image/") else _WORDS.get(word.lower())


def _example(value: Any) -> Any:
    """Return the type of an example; a text that names a type stands for that type."""
    match value:
        case str():
            return _type(value) or "string"
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float"
        case [first, *_]:
            return [_example(first)]
        case dict() if value and all(key.isidentifier() for key in value):
            return {key: _example(item) for key, item in value.items()}
    return "any"
