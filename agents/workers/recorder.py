"""The recorder: every event of every run goes from `run.events` into PostgreSQL, where history, statistics and lists are read."""

import asyncio
import contextlib
import logging
from dataclasses import dataclass

import psycopg

from agents.workers.drift import DriftWatch
from agents.workers.notifier import Notifier
from agents.workers.sweeper import Sweeper
from schemas.errors import RegistryUnavailable
from streams.background import ended
from streams.runtime.connections.connections import Connections
from streams.runtime.history import shadows, tables
from streams.runtime.history.folding import LoggedEvent
from streams.runtime.history.recorder import record
from streams.runtime.retrying import retry_until_available
from streams.wire.records import Record

log = logging.getLogger(__name__)

NAME = "recorder"
BATCH = 1000
"""Largest number of events in a transaction."""
LARGE = 8 * 2**20
"""Bytes of records after which a transaction is closed."""
GATHERING = 0.1
"""Seconds that a transaction waits for company: alone, an event would cost ten times its share of a full one. Nobody waits for it: who asks
for a single run reads the log as well."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    record: Record
    written: asyncio.Future[None]


class Recorder:
    """Handles the records of `run.events`. While PostgreSQL is unavailable it pauses; it loses nothing.

    Beside it run, for as long as it does, the notifier, the watcher of drift, and the sweeper of old objects.
    """

    def __init__(
        self,
        connections: Connections,
        notifier: Notifier | None = None,
        drift: DriftWatch | None = None,
        sweeper: Sweeper | None = None,
    ) -> None:
        self._connections = connections
        self._notifier = notifier
        self._beside = [worker for worker in (notifier, drift, sweeper) if worker is not None]
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._connection: psycopg.AsyncConnection[tuple[object, ...]] | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start writing."""
        for worker in self._beside:
            worker.start()
        self._task = asyncio.create_task(self._run(), name="recorder")

    async def stop(self) -> None:
        """Stop writing. Unwritten events are not acknowledged."""
        for worker in self._beside:
            await worker.stop()
        await ended(self._task)
        await self._disconnect()

    async def __call__(self, record: Record) -> None:
        """Write the event of a record. Raises Undecodable, and psycopg.Error for an event that cannot be stored."""
        # In line before anything is waited for: an event whose reading needs the registry must not be overtaken by a later
        # one of its run, whose row would then go back to an earlier state.
        waiting = _Waiting(record, asyncio.get_running_loop().create_future())
        self._queue.put_nowait(waiting)
        await waiting.written

    async def _run(self) -> None:
        while True:
            batch = [await self._queue.get()]
            if self._queue.qsize() < BATCH:
                await asyncio.sleep(GATHERING)
            size = len(batch[0].record.value or b"")
            while len(batch) < BATCH and size < LARGE and not self._queue.empty():
                batch.append(self._queue.get_nowait())
                size += len(batch[-1].record.value or b"")
            await self._write(
                [(record, recorded) for record in batch if (recorded := await self._read(record)) is not None]
            )

    async def _read(self, waiting: _Waiting) -> LoggedEvent | None:
        """Decode the event; None for a record that is not an event, of which its handler is notified."""
        wire, record = self._connections.wire, waiting.record
        try:
            event = await retry_until_available(
                self._connections.outages, "registry", lambda: wire.read_event(record), RegistryUnavailable
            )
        except Exception as error:  # noqa: BLE001  # whatever it is, it is this record's; the handler knows what to do
            _settle(waiting, error)
            return None
        return LoggedEvent(event, record.place, record.offset)

    async def _write(self, batch: list[tuple[_Waiting, LoggedEvent]]) -> None:
        try:
            if batch:
                await self._record([recorded for _, recorded in batch])
        except psycopg.Error as error:
            if len(batch) > 1:  # one of them is to blame: the others must not suffer for it
                for entry in batch:
                    await self._write([entry])
                return
            log.error("an event cannot be recorded: %s", error)
            _settle(batch[0][0], error)
            return
        for waiting, _ in batch:
            _settle(waiting)

    async def _record(self, batch: list[LoggedEvent]) -> None:
        async def attempt() -> None:
            connection = await self._connected()
            try:
                if self._notifier is None:
                    await record(connection, batch)
                elif await record(connection, batch, self._notifier.rules.notices):
                    self._notifier.soon()
            except (psycopg.OperationalError, psycopg.InterfaceError):
                await self._disconnect()
                raise

        await retry_until_available(
            self._connections.outages, "postgres", attempt, psycopg.OperationalError, psycopg.InterfaceError
        )

    async def _connected(self) -> "psycopg.AsyncConnection[tuple[object, ...]]":
        if self._connection is None or self._connection.closed:
            connection = await psycopg.AsyncConnection.connect(
                self._connections.settings.postgres, autocommit=True, connect_timeout=5
            )
            await tables.ensure(connection)
            await shadows.compare(connection)  # what a recorder that died between two transactions left
            self._connection = connection
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                await connection.close()


def _settle(waiting: _Waiting, error: Exception | None = None) -> None:
    if waiting.written.done():
        return  # its handler was cancelled
    if error is None:
        waiting.written.set_result(None)
    else:
        waiting.written.set_exception(error)
