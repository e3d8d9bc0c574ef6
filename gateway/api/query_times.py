"""Times in queries, as people type them."""

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator

_UNESCAPED = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?) (\d\d:?\d\d)")
"""A time with its zone after a space: a `+` in a query is read as a space."""


def _typed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if "-" not in value[1:]:
        raise ValueError("expected a time such as 2026-11-29T17:40:00Z or 2026-11-29T17:40:00+02:00")
    unescaped = _UNESCAPED.fullmatch(value)
    return f"{unescaped[1]}+{unescaped[2]}" if unescaped else value


QueryTime = Annotated[datetime, BeforeValidator(_typed)]
"""ISO 8601. The `+` of a zone may be left unescaped; a bare number is refused."""
