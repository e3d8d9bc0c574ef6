"""The values that a condition read, kept small: the event of what it skipped carries them."""

import json
import re
from collections.abc import Mapping
from typing import Any

from streams.language.expressions import reserved_words
from streams.language.expressions.expression import Expression

SMALL = 200
"""Characters of JSON up to which a value is shown as it is."""
MOST = 8
"""Values that are shown of one condition."""
_FIELDS = re.compile(r"((?:\s*\.\s*[A-Za-z_]\w*(?!\w)(?!\s*\()|\[\d+\])*)")
_STEP = re.compile(r"\.\s*([A-Za-z_]\w*)|\[(\d+)\]")


def seen(expression: Expression, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value at each place that the expression reads (`info.width`): small values as they are, others in a few words."""
    shown: dict[str, Any] = {}
    for match in reserved_words.names(expression.text):
        name = match["word"]
        if name not in expression.names or name not in values:
            continue
        fields = _FIELDS.match(expression.text, match.end("word"))
        value, path = values[name], name
        for step in _STEP.finditer(fields[1] if fields else ""):
            key: Any = step[1] or int(step[2])
            if isinstance(value, Mapping) and key in value:
                value, path = value[key], f"{path}.{key}"
            elif isinstance(value, list) and isinstance(key, int) and key < len(value):
                value, path = value[key], f"{path}[{key}]"
            else:
                break
        shown[path] = brief(value)
        if len(shown) == MOST:
            break
    return shown


def brief(value: Any) -> Any:
    """Return a value as it is when its JSON has at most SMALL characters, else a description in a few words."""
    if len(json.dumps(value, default=str)) <= SMALL:
        return value
    if isinstance(value, str):
        return f"{value[: SMALL - 1]}…"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    names = ", ".join(list(value)[:10])
    return f"a record with {names[:SMALL]}"
