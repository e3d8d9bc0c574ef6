"""One run in memory: its events in order, whether that is all of them, and who waits for the next. No I/O here."""

import asyncio
import uuid
from bisect import bisect_right
from dataclasses import dataclass, field

from streams.messages import EventKind
from streams.wire.codec import UNLESS
from streams.wire.records import Record

_RECORD, _HEADER = 500, 150
"""Bytes that a record and each of its headers weigh beside their values."""
_KINDS = {kind.value: kind for kind in EventKind}


@dataclass(slots=True)
class Line:
    """One event of a run. The body is the record as it came, its JSON once decoded, or None once let go of."""

    sequence: int
    """Its offset: the SSE id."""
    id: bytes
    kind: EventKind
    body: Record | bytes | None
    unless: bytes | None = None
    """The id of an event after which this one is nothing any more."""


@dataclass(slots=True)
class Entry:
    """One run. `since` is the offset from which on every event of the run is in `lines`; `whole` says all of it is."""

    run: str
    partition: int
    since: int
    whole: bool = False
    lines: list[Line] = field(default_factory=list)
    ids: set[bytes] = field(default_factory=set)
    ended: bool = False
    readers: int = 0
    size: int = 0
    version: int = 0
    """Counts the changes, so that one between looking and waiting is not missed."""
    restoring: asyncio.Lock = field(default_factory=asyncio.Lock)
    _change: asyncio.Future[None] | None = None

    @property
    def terminal(self) -> Line | None:
        """The event that ended the run."""
        return self.lines[-1] if self.ended else None

    def takes(self, line: Line) -> bool:
        """Whether this event belongs to the run, after those that are here."""
        return not (self.ended or line.id in self.ids or line.unless in self.ids)

    def after(self, sequence: int) -> int:
        """Position in `lines` of the first event past this one."""
        return bisect_right(self.lines, sequence, key=lambda line: line.sequence)

    async def changed(self, version: int, seconds: float) -> bool:
        """Waits until there is more than at this version; False when there was not for so many seconds."""
        if self.version != version:
            return True
        if self._change is None:
            self._change = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds):
                await asyncio.shield(self._change)
        except TimeoutError:
            return False
        return True

    def notify(self) -> None:
        """Wakes who waits."""
        self.version += 1
        if self._change is not None:
            if not self._change.done():
                self._change.set_result(None)
            self._change = None


def run_of(record: Record) -> str | None:
    """The run that a record of run.events is of: its key."""
    try:
        return record.key.decode() if record.key else None
    except UnicodeDecodeError:
        return None


def to_line(record: Record) -> Line | None:
    """The event that a record of run.events is, undecoded; None for what is no event of ours."""
    name, text, unless = (record.header(one) for one in ("ce_type", "ce_id", UNLESS))
    kind = _KINDS.get(name.decode("latin-1")) if name else None
    if kind is None or text is None or record.value is None:
        return None
    try:
        return Line(record.offset, _id(text), kind, record, None if unless is None else _id(unless))
    except ValueError:
        return None


def _id(text: bytes) -> bytes:
    return uuid.UUID(text.decode("ascii")).bytes


def weight(line: Line) -> int:
    """Bytes that a line's body holds, about: small objects weigh more than what is in them (measured on CPython 3.11)."""
    body = line.body
    if body is None:
        return 0
    if isinstance(body, bytes):
        return len(body)
    return _RECORD + len(body.value or b"") + sum(_HEADER + len(value or b"") for _, value in body.headers)
