"""One event of a run, from the log (run.events) or the history. No I/O here."""

import uuid
from dataclasses import dataclass

from streams.messages import EventKind
from streams.wire.codec import UNLESS
from streams.wire.records import Record

_RECORD, _HEADER = 500, 150
"""Bytes that a record and each of its headers take beside their values."""
_KINDS = {kind.value: kind for kind in EventKind}


@dataclass(slots=True)
class LoggedEvent:
    """One event of a run. `body` is the record as it came, its JSON once decoded, or None once it was dropped from memory."""

    sequence: int
    """The offset in the log, which is the SSE id."""
    id: bytes
    kind: EventKind
    body: Record | bytes | None
    unless: bytes | None = None
    """The id of the event that supersedes this one: after that event, this one is dropped. None when there is none."""

    @property
    def held_bytes(self) -> int:
        """Bytes of memory that the body takes, estimated: small objects take more than their content (CPython 3.11)."""
        if self.body is None:
            return 0
        if isinstance(self.body, bytes):
            return len(self.body)
        headers = sum(_HEADER + len(value or b"") for _, value in self.body.headers)
        return _RECORD + len(self.body.value or b"") + headers


def run_of(record: Record) -> str | None:
    """Return the run that a record of run.events belongs to (its key); None when the key is missing or not text."""
    try:
        return record.key.decode() if record.key else None
    except UnicodeDecodeError:
        return None


def parse_event(record: Record) -> LoggedEvent | None:
    """Read the event of a record of run.events from its headers alone; None when the record is not an event of ours."""
    name, text, unless = (record.header(header) for header in ("ce_type", "ce_id", UNLESS))
    kind = _KINDS.get(name.decode("latin-1")) if name else None
    if kind is None or text is None or record.value is None:
        return None
    try:
        return LoggedEvent(record.offset, _id(text), kind, record, None if unless is None else _id(unless))
    except ValueError:
        return None


def _id(text: bytes) -> bytes:
    return uuid.UUID(text.decode("ascii")).bytes
