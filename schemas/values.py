"""The JSON text inside a `millrace.Value`: fast for what JSON can say, whole for the rest of what an expression can give."""

import json
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def dumps(value: Any) -> str:
    """A JSON-like value as JSON text. NaN and the infinities stand as Python's json module writes them.

    Raises TypeError for what is no JSON-like value.
    """
    try:
        text = _encode(value)
    except (UnicodeEncodeError, OverflowError, msgspec.EncodeError):
        return json.dumps(value, separators=(",", ":"))
    # msgspec writes a number that is not finite as null, and a real null looks the same.
    return json.dumps(value, separators=(",", ":")) if b"null" in text else text.decode()


def loads(text: str) -> Any:
    """The value that `dumps` wrote. Raises ValueError."""
    try:
        return _decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return json.loads(text)
