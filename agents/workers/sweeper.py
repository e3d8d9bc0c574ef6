"""The sweeper: removes the objects of runs that ended long ago, beside the recorder, whose history says which these are.

How long they are kept is in the pipeline (`retain:`), else in the settings. The history itself stays, and so does what
was kept for training, which lies elsewhere in the bucket.
"""

import asyncio
import logging
from typing import Any

import psycopg

from streams.background import ended
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.connections.connections import Connections
from streams.runtime.errors import StoreUnavailable
from streams.runtime.history import tables
from streams.runtime.storage.store import Store

log = logging.getLogger(__name__)

PERIOD = 60.0
"""Seconds between two looks, at most; where objects are kept for less than that, they are looked for as often."""
_BATCH = 50
_AT_ONCE = 8

# Of several sweepers each takes runs that no other has in hand.
_DUE = """
select run from runs
where swept_at is null and ended_at < now() - make_interval(secs => %(seconds)s)
  and (digest = any(%(digests)s)) = %(listed)s
order by ended_at limit %(most)s for update skip locked
"""
_SWEPT = "update runs set swept_at = now() where run = any(%s)"


class Sweeper:
    """Removes objects forever. A run is marked as swept after its objects are gone: who dies in between does it again."""

    def __init__(self, connections: Connections, period: float = PERIOD) -> None:
        self._connections = connections
        self._period = min(period, connections.settings.retain)
        self._pipelines = Pipelines(connections)
        self._store = Store(
            connections.settings
        )  # one that says when S3 is unavailable: nothing is waited for amid a transaction
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start sweeping."""
        self._task = asyncio.create_task(self._run(), name="sweeper")

    async def stop(self) -> None:
        """Stop."""
        await ended(self._task)
        await self._pipelines.stop()
        self._store.close()

    async def _run(self) -> None:
        await self._pipelines.start()
        while True:
            try:
                async with await tables.connected(self._connections.settings.postgres) as connection:
                    swept = await self.sweep(connection)
            except (psycopg.OperationalError, psycopg.InterfaceError, StoreUnavailable) as error:
                log.warning("objects of ended runs stay for now: %s", error)
            except Exception:  # that objects stay is not worth the end of a recorder
                log.exception("objects of ended runs stay for now")
            else:
                if swept:
                    log.info("the objects of %d runs are removed, which ended long ago", swept)
            await asyncio.sleep(self._period)

    async def sweep(self, connection: psycopg.AsyncConnection[dict[str, Any]]) -> int:
        """Delete the objects of runs that are due, and return the number of runs. Raises psycopg.Error and StoreUnavailable."""
        special = self._pipelines.retained()
        policies: dict[float, list[str]] = {}
        for digest, seconds in special.items():
            policies.setdefault(seconds, []).append(digest)
        count = await self._all(connection, self._connections.settings.retain, list(special), listed=False)
        for seconds, digests in policies.items():
            count += await self._all(connection, seconds, digests, listed=True)
        return count

    async def _all(
        self, connection: psycopg.AsyncConnection[dict[str, Any]], seconds: float, digests: list[str], *, listed: bool
    ) -> int:
        """Sweep runs of these versions, or of all others, that ended this many seconds ago."""
        count = 0
        while True:
            async with connection.transaction():
                cursor = await connection.execute(
                    _DUE, {"seconds": seconds, "digests": digests, "listed": listed, "most": _BATCH}
                )
                runs = [str(row["run"]) for row in await cursor.fetchall()]
                room = asyncio.Semaphore(_AT_ONCE)
                await asyncio.gather(*(self._remove(run, room) for run in runs))
                await connection.execute(_SWEPT, [runs])
            count += len(runs)
            if len(runs) < _BATCH:
                return count

    async def _remove(self, run: str, room: asyncio.Semaphore) -> None:
        async with room:
            await self._store.delete(await self._store.list(f"runs/{run}/"))
