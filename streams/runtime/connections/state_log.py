"""`flow.state`: the rows of open runs, read a whole partition at a time and written with awaited delivery."""

import asyncio
import functools
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from schemas.errors import RegistryUnavailable, Undecodable
from streams.flow.state_rows import DONE, Row
from streams.runtime.connections.connections import Connections
from streams.runtime.errors import Missing
from streams.runtime.retrying import retry_until_available
from streams.wire import topics
from streams.wire.codec import Row as WireRow
from streams.wire.records import Outgoing, Place, Record

log = logging.getLogger(__name__)

_GATHERING = 0.25
"""Seconds for which rows that nobody waits for gather."""

Rows = dict[str, dict[str, Mapping[str, Any]]]
"""Run → row → value."""


class StateLog:
    """Reads and writes rows. Rows are merged as sets: a late or repeated one is harmless."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._topic = connections.topic(topics.STATE)
        self._gathered: list[tuple[list[Row], int]] = []
        self._writing: asyncio.Task[None] | None = None
        """Writes what has gathered; None while nothing has."""

    async def write(self, rows: Iterable[Row], partition: int) -> None:
        """Write rows of runs of this partition, in order, and return when the broker has them."""
        await self._connections.producer.send_all(await self.records(rows, partition))

    async def write_together(self, rows: Iterable[Row], partition: int) -> None:
        """Write rows together with those of other runs, a moment later, and return when the broker has them.

        For rows of ended runs: no message of the run waits for them, only the acknowledgement of its last.
        """
        rows = list(rows)
        if not rows:
            return
        self._gathered.append((rows, partition))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_gathered(), name="rows of ended runs")
        await asyncio.shield(self._writing)

    async def _write_gathered(self) -> None:
        await asyncio.sleep(_GATHERING)
        gathered, self._gathered, self._writing = self._gathered, [], None
        records = [record for rows, partition in gathered for record in await self.records(rows, partition)]
        await self._connections.producer.send_all(records)

    async def records(self, rows: Iterable[Row], partition: int) -> list[Outgoing]:
        """Encode rows as records."""
        return [await self._connections.wire.row(WireRow(row.run, row.row, row.value), partition) for row in rows]

    async def read(self, partition: int) -> tuple[Rows, dict[str, float]]:
        """Read the present rows of a partition, and when each ended run was marked as ended (epoch seconds)."""
        rows: Rows = defaultdict(dict)
        ended: dict[str, float] = {}
        count = 0
        async for record in self._records(partition):
            count += 1
            row = await self._row(record)
            if row is None:
                continue
            _set(rows[row.run], row)
            if row.row == DONE and row.value is not None:
                ended[row.run] = row.at
            elif row.row == DONE:
                ended.pop(row.run, None)
        present = {run: values for run, values in rows.items() if values}
        log.info("state of partition %d: %d rows, %d runs", partition, count, len(present))
        return present, ended

    async def of_run(self, run: str, partition: int, since: float) -> dict[str, Mapping[str, Any]]:
        """Read the present rows of one run, none of which is older than `since` (epoch seconds)."""
        rows: dict[str, Mapping[str, Any]] = {}
        key = f"{run}|".encode()
        async for record in self._records(partition, since):
            if (record.key or b"").startswith(key):
                _set(rows, await self._connections.wire.read_row(record))
        return rows

    async def _row(self, record: Record) -> WireRow | None:
        """Read a row; None for one that is unreadable, which is skipped."""
        read = functools.partial(self._connections.wire.read_row, record)
        try:
            return await retry_until_available(self._connections.outages, "registry", read, RegistryUnavailable)
        except (Undecodable, Missing) as error:
            log.error("skipping an unreadable row of flow's state at %s: %s", record.where, error)
            return None

    async def _records(self, partition: int, since: float | None = None) -> AsyncIterator[Record]:
        """Yield the records of a partition from its start, or from `since` (epoch seconds), to its present end."""
        place = Place(self._topic, partition)
        offsets = self._connections.offsets
        start = 0 if since is None else (await offsets.since([place], since))[place]
        if start is not None:
            async for record in offsets.records(place, start):
                yield record


def _set(values: dict[str, Mapping[str, Any]], row: WireRow) -> None:
    if row.value is None:
        values.pop(row.row, None)
    else:
        values[row.row] = row.value
