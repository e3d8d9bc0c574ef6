"""Cursors of lists: the time and the id of a page's last row as one opaque word, from which the next page continues."""

import base64
import binascii
import uuid
from datetime import UTC, datetime

from gateway.api.problems import Fault, Kind, Problem

Position = tuple[datetime, str]


def written(when: datetime, identity: str) -> str:
    """Return the cursor of a position."""
    return base64.urlsafe_b64encode(f"{when.isoformat()} {identity}".encode()).decode()


def read(cursor: str | None, *, uuids: bool = False) -> Position | None:
    """Return the position of a cursor; None without a cursor. Raises Problem (422) for a cursor that this list did not give.

    `uuids`: the ids of the list are UUIDs.
    """
    if not cursor:
        return None
    try:
        when, _, identity = base64.urlsafe_b64decode(cursor.encode()).decode().partition(" ")
        if "\0" in identity:
            raise ValueError("no id has a NUL")
        return datetime.fromisoformat(when), str(uuid.UUID(identity)) if uuids else identity
    except (binascii.Error, ValueError):
        fault = Fault("cursor", "not a cursor of this list", "pass `next` of the page before as it came")
        raise Problem(Kind.INVALID, "Some parameters are not what this call takes.", [fault]) from None


def aware(when: datetime | None) -> datetime | None:
    """Return a time with its zone; a time without one is in this machine's. None stays None."""
    if when is None or when.tzinfo is not None:
        return when
    try:
        return when.astimezone()
    except (ValueError, OverflowError):  # at the ends of the calendar the local zone cannot be computed
        return when.replace(tzinfo=UTC)
