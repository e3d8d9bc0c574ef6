"""Timestamps as text for people and programs."""

from datetime import UTC, datetime
from typing import overload

_LAST = datetime(9999, 1, 1, tzinfo=UTC)


def dated(at: float) -> datetime:
    """Convert epoch seconds to UTC. Values outside datetime's range are clamped, so formatting a timestamp never raises."""
    try:
        return datetime.fromtimestamp(at, UTC)
    except (OverflowError, ValueError, OSError):
        return _LAST


@overload
def moment(at: float | datetime) -> str: ...
@overload
def moment(at: float | datetime | None) -> str | None: ...
def moment(at: float | datetime | None) -> str | None:
    """Format a time (epoch seconds, or aware) as RFC 3339 text in UTC with milliseconds; None stays None."""
    if at is None:
        return None
    when = at.astimezone(UTC) if isinstance(at, datetime) else dated(at)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
