"""Points in time on the command line."""

import re
from datetime import UTC, datetime, timedelta

from streams.cli.exits import Exit, Failed

_AGO = re.compile(r"(\d{1,9})\s*([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def since(option: str, text: str) -> datetime:
    """Parse `2026-11-21T10:00`, in this machine's time zone unless it names one, or an age such as `30m`. Raises Failed."""
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago:
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        problem = f"{option} {text}: say a time (2026-11-21T10:00) or how long ago (30m, 6h, 2d)"
        raise Failed(Exit.USAGE, problem) from None
