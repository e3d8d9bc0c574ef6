"""What authors write who come from other languages, and what it is here."""

import re
from collections.abc import Mapping

from streams.language.expressions import reserved_words

NAMES: Mapping[str, str] = {"True": "true", "False": "false", "None": "null", "nil": "null", "undefined": "null"}
"""Values that have another name elsewhere."""

FUNCTIONS: Mapping[str, str] = {
    "len": "size(x)",
    "length": "size(x)",
    "count": "size(x)",
    "str": "string(x)",
    "float": "double(x)",
    "round": "math.round(x)",
    "floor": "math.floor(x)",
    "ceil": "math.ceil(x)",
    "abs": "math.abs(x)",
    "sqrt": "math.sqrt(x)",
    "min": "math.least(a, b), or math.least(xs)",
    "max": "math.greatest(a, b), or math.greatest(xs)",
    "upper": "x.upperAscii()",
    "toUpperCase": "x.upperAscii()",
    "lower": "x.lowerAscii()",
    "toLowerCase": "x.lowerAscii()",
    "strip": "x.trim()",
    "startswith": "x.startsWith('a')",
    "endswith": "x.endsWith('a')",
    "includes": "a in xs",
    "any": "xs.exists(x, …)",
    "some": "xs.exists(x, …)",
    "every": "xs.all(x, …)",
}
"""Functions that have another name elsewhere, and how to call them."""

_OPERATORS = (
    (r"\band\b", "&&, not and"),
    (r"\bor\b", "||, not or"),
    (r"\bnot\b", "!x, not `not x`"),
    (r"\bis\b", "==, not is"),
    (r"\*\*", "x * x: there is no power"),
    (r"(?<![=!<>])=(?!=)|===", "==, to compare"),
    (r"<>", "!="),
)
_STRING = re.compile(reserved_words.STRING, re.DOTALL)


def operator(text: str) -> str:
    """Return what to write instead of another language's operator in a text that is not CEL; empty when it has none."""
    bare = _STRING.sub("''", text)
    return next((f"write {here}" for there, here in _OPERATORS if re.search(there, bare)), "")
