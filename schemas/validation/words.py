"""Types and values in the words of an error message."""

from typing import Any

from schemas.validation.shapes import AnyShape, Array, Enum, Fixed, Map, Primitive, Record, RefShape, Shape, Union

_PRIMITIVES = {
    "null": "null",
    "boolean": "true or false",
    "int": "a whole number",
    "long": "a whole number",
    "float": "a number",
    "double": "a number",
    "bytes": "bytes in base64",
    "string": "a text",
}
_MOST = 60


def describe(of: Shape) -> str:
    """What a value of this shape is: `a list of numbers` is said as `a list (each a number)`."""
    match of:
        case Primitive():
            return _PRIMITIVES[of.kind]
        case RefShape():
            return "an image or other object (a ref with bucket, key, size, sha256 and media_type)"
        case AnyShape():
            return "any value"
        case Array():
            return f"a list (each {describe(of.items)})"
        case Map():
            return f"an object (each value {describe(of.values)})"
        case Enum():
            return f"one of {', '.join(of.symbols)}"
        case Fixed():
            return f"{of.size} bytes in base64"
        case Record():
            return f"an object with {', '.join(field.name for field in of.fields) or 'no fields'}"
        case Union():
            return " or ".join(describe(branch) for branch in of.branches)


def found(value: Any) -> str:
    """What a value is, shortened: `the text 'abc'`."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() if abs(value) >= 2**128:
            return "a huge number"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the text {value!r}" if len(value) <= _MOST else f"the text {value[:_MOST]!r}…"
        case list() | tuple():
            return f"a list of {len(value)}"
        case dict():
            return "an object"
    return f"a value of type {type(value).__name__}"
