"""Moments as text for people and programs."""

from datetime import UTC, datetime
from typing import overload


@overload
def moment(at: float | datetime) -> str: ...
@overload
def moment(at: float | datetime | None) -> str | None: ...
def moment(at: float | datetime | None) -> str | None:
    """A time (epoch seconds, or aware) as RFC 3339 text in UTC with milliseconds; None stays None."""
    if at is None:
        return None
    when = at.astimezone(UTC) if isinstance(at, datetime) else datetime.fromtimestamp(at, UTC)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
