"""The JSON text inside a `millrace.Value`: fast for what JSON can say, whole for the rest of what an expression can give."""

import base64
import json
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def dumps(value: Any) -> str:
    """Return a JSON-like value as JSON text. NaN and the infinities are written as Python's json module writes them.

    Raises TypeError for what is no JSON-like value.
    """
    try:
        text = _encode(value)
    except (UnicodeEncodeError, OverflowError, msgspec.EncodeError):
        return json.dumps(value, separators=(",", ":"), default=_base64)
    # msgspec writes a number that is not finite as null, and a real null looks the same.
    return json.dumps(value, separators=(",", ":"), default=_base64) if b"null" in text else text.decode()


def _base64(value: Any) -> str:
    """Return bytes as the faster encoder writes them too. Raises TypeError for anything else."""
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    raise TypeError(f"a {type(value).__name__} is no JSON-like value")


def loads(text: str) -> Any:
    """Return the value that `dumps` wrote. Raises ValueError."""
    try:
        return _decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return json.loads(text)
