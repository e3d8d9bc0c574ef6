"""Straight runs as the log of events describes them: flow reads the first and the last event of each."""

from collections.abc import Awaitable, Callable, Collection

from schemas.errors import Undecodable
from streams.messages import EventKind, LogMessage, RunBegan, RunEnded, RunLasts
from streams.runtime.connections.connections import Connections
from streams.runtime.connections.publish import Publisher
from streams.runtime.flow.open_runs import OpenRuns
from streams.wire.codec import STRAIGHT
from streams.wire.records import Record

Take = Callable[[int, str, Callable[[], Awaitable[LogMessage]]], Awaitable[None]]
"""Takes a message of a run in its turn: the partition, the run's id, and what reads the message."""


class RunLog:
    """Handles records of `run.events`. Call `add` first, before anything is awaited, and then the others in their order."""

    def __init__(self, connections: Connections, publisher: Publisher, take: Take) -> None:
        self.topic = connections.events
        self._wire = connections.wire
        self._publisher = publisher
        self._take = take
        self._open = OpenRuns()

    def skips(self, record: Record) -> bool:
        """Return whether a record needs no work: most events are of no interest to flow."""
        return record.header(STRAIGHT) is None

    def release(self, owned: Collection[int]) -> None:
        """Begin a generation of the membership with these partitions."""
        self._open.release(owned)

    def add(self, record: Record) -> None:
        """Note that a record has come."""
        self._open.add(_run(record), record.place.partition, record.offset, begins=_begins(record))

    async def turn(self, record: Record) -> None:
        """Wait until a record may be taken: behind the earlier ones of its run. Raises Revoked."""
        await self._open.turn(_run(record), record.offset)

    async def take(self, record: Record) -> None:
        """Take the message of a record. Raises Undecodable for one that is not an event."""
        run = _run(record)
        await self._take(record.place.partition, run, lambda: self._read(record))
        self._open.take(run, record.offset, ends=not _begins(record))

    async def outlast(self, record: Record) -> None:
        """Return when a record may be acknowledged: that of a beginning when the run has ended or is written down.

        Until then flow's next worker has to read it again, to know of the run. Short runs are never written down. Raises Revoked.
        """
        if not _begins(record):
            return
        run = _run(record)
        if not await self._open.ended(run):
            await self._take(record.place.partition, run, lambda: _lasts(run))
        self._open.drop(run, record.offset)

    def give_up(self, record: Record) -> None:
        """Let others of its run pass a record that is not taken."""
        self._open.take(_run(record), record.offset, ends=False)
        self._open.drop(_run(record), record.offset)

    async def _read(self, record: Record) -> LogMessage:
        event = (await self._publisher.patiently(lambda: self._wire.read_event(record))).event
        if event.run.id != _run(record):
            raise Undecodable(f"{record.where}: its key is not the run that it is about")
        return RunEnded(event) if event.kind.terminal else RunBegan(event.run)


async def _lasts(run: str) -> LogMessage:
    return RunLasts(run)


def _begins(record: Record) -> bool:
    return record.header("ce_type") == EventKind.ACCEPTED.encode()


def _run(record: Record) -> str:
    return (record.key or b"").decode(errors="replace")
