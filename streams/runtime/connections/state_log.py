"""`flow.state`: the rows of open runs, one partition read whole when it is taken over, written with awaited delivery."""

import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from schemas.errors import RegistryAway, Undecodable
from streams.flow.state_rows import DONE, Row
from streams.runtime.connections.connections import Connections
from streams.runtime.errors import Missing
from streams.runtime.retrying import retry_until_available
from streams.wire import topics
from streams.wire.codec import Row as WireRow
from streams.wire.records import Outgoing, Place, Record

log = logging.getLogger(__name__)

Rows = dict[str, dict[str, Mapping[str, Any]]]
"""Run → row → value."""


class StateLog:
    """Reading and writing of rows. Rows are merged as sets: a late or repeated one is harmless."""

    def __init__(self, parts: Connections) -> None:
        self._parts = parts
        self._topic = parts.topic(topics.STATE)

    async def write(self, rows: Iterable[Row], partition: int) -> None:
        """Writes rows of runs of this partition, in order, and returns when the broker has them."""
        await self._parts.producer.send_all(await self.records(rows, partition))

    async def records(self, rows: Iterable[Row], partition: int) -> list[Outgoing]:
        """The records by which rows are written."""
        return [await self._parts.wire.row(WireRow(one.run, one.row, one.value), partition) for one in rows]

    async def read(self, partition: int) -> tuple[Rows, dict[str, float]]:
        """Every row that stands in the partition, and when each run that is over was marked so (epoch seconds)."""
        rows: Rows = defaultdict(dict)
        ended: dict[str, float] = {}

        async def take(record: Record) -> None:
            try:
                row = await retry_until_available(
                    self._parts.outages, "registry", lambda: self._parts.wire.read_row(record), RegistryAway
                )
            except (Undecodable, Missing) as error:
                log.error("a row of flow's state cannot be read and is passed over: %s: %s", record.where, error)
                return
            if row.value is None:
                rows[row.run].pop(row.row, None)
                if row.row == DONE:
                    ended.pop(row.run, None)
            else:
                rows[row.run][row.row] = row.value
                if row.row == DONE:
                    ended[row.run] = row.at

        count = await self._each(partition, take)
        standing = {run: values for run, values in rows.items() if values}
        log.info("state of partition %d: %d rows, %d runs", partition, count, len(standing))
        return standing, ended

    async def of_run(self, run: str, partition: int, since: float) -> dict[str, Mapping[str, Any]]:
        """The rows of one run that stand in its partition, of which none is older than `since` (epoch seconds)."""
        rows: dict[str, Mapping[str, Any]] = {}
        key = f"{run}|".encode()

        async def take(record: Record) -> None:
            if (record.key or b"").startswith(key):
                row = await self._parts.wire.read_row(record)
                if row.value is None:
                    rows.pop(row.row, None)
                else:
                    rows[row.row] = row.value

        await self._each(partition, take, since)
        return rows

    async def _each(self, partition: int, take: Callable[[Record], Awaitable[None]], since: float | None = None) -> int:
        place = Place(self._topic, partition)
        offsets = self._parts.offsets
        start: int | None = 0
        if since is not None:
            start = (await offsets.since([place], since))[place]
        records = 0
        if start is not None:
            async for record in offsets.records(place, start):
                await take(record)
                records += 1
        return records
