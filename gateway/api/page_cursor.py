"""The place of a list's page: the time and the id of the last row of the page before, as one opaque word."""

import base64
import binascii
import uuid
from datetime import UTC, datetime

from gateway.api.problems import Fault, Kind, Problem

Position = tuple[datetime, str]


def written(when: datetime, identity: str) -> str:
    """The word that stands for a place."""
    return base64.urlsafe_b64encode(f"{when.isoformat()} {identity}".encode()).decode()


def read(cursor: str | None, *, uuids: bool = False) -> Position | None:
    """The place that a word stands for; None for none. Raises Problem (422) for a word that this list did not give.

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
    """A time with its zone; one that says none is in this machine's."""
    if when is None or when.tzinfo is not None:
        return when
    try:
        return when.astimezone()
    except (ValueError, OverflowError):  # at the ends of the calendar no machine knows its zone
        return when.replace(tzinfo=UTC)
