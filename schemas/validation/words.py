"""Shapes in the words of an error message."""

from schemas.primitives import Primitive
from schemas.shapes import AnyShape, Array, Enum, Fixed, Map, Record, RefShape, Shape, Union


def describe(of: Shape) -> str:
    """Describe what a value of this shape is: a list of numbers is `a list (each a number)`."""
    match of:
        case Primitive():
            return of.words
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
