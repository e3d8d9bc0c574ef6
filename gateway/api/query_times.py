"""Times in the query of an address, as people type them."""

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator

_UNESCAPED = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?) (\d\d:?\d\d)")
"""A time with its zone where a `+` was: in a query, that is how a space is written."""


def _typed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if "-" not in value[1:]:
        raise ValueError("expected a time such as 2026-11-29T17:40:00Z or 2026-11-29T17:40:00+02:00")
    found = _UNESCAPED.fullmatch(value)
    return f"{found[1]}+{found[2]}" if found else value


QueryTime = Annotated[datetime, BeforeValidator(_typed)]
"""ISO 8601. The `+` of a zone may stand unescaped; a bare number is no time."""
