"""The history of runs, which the recorder wrote to PostgreSQL. Only reads."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from gateway.data.interfaces import Counts, HistoryUnavailable, RunFilter
from gateway.data.logged_event import LoggedEvent
from gateway.data.render import event_json
from streams.messages import EventKind
from streams.runtime.history import tables
from streams.runtime.history.borrowing import borrowed


class History:
    """Reads the tables of `streams.runtime.history.tables`. See `gateway.data.interfaces.RunHistory`."""

    def __init__(self, url: str, *, size: int = 4, timeout: float = 2.0) -> None:
        """`timeout`: seconds to wait for a connection."""
        self._pool: AsyncConnectionPool[psycopg.AsyncConnection[DictRow]] = AsyncConnectionPool(
            url,
            min_size=0,
            max_size=size,
            timeout=timeout,
            open=False,
            configure=_bounded,
            reconnect_timeout=timeout,
            kwargs={"autocommit": True, "row_factory": dict_row, "connect_timeout": max(2, int(timeout))},
        )
        self._ready = False

    async def __aenter__(self) -> Self:
        await self._pool.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[psycopg.AsyncConnection[DictRow]]:
        """Lend a connection to a database that has the tables. Raises HistoryUnavailable."""
        try:
            async with borrowed(self._pool) as connection:
                if not self._ready:
                    await tables.ensure(connection)
                    self._ready = True
                yield connection
        except (psycopg.OperationalError, PoolTimeout) as error:
            raise HistoryUnavailable(f"the run history (PostgreSQL) does not answer: {error}") from error

    async def _all(self, query: str, values: Mapping[str, Any]) -> list[DictRow]:
        async with self.connection() as connection:
            cursor = await connection.execute(query.encode(), values)
            return await cursor.fetchall()

    async def ping(self) -> None:
        """Return when the database answers."""
        await self._all("select 1", {})

    async def reach(self, partition: int) -> int:
        """Return the offset of run.events before which every event of the partition is in the history."""
        rows = await self._all(
            "select next_sequence from progress where partition = %(partition)s", {"partition": partition}
        )
        return int(rows[0]["next_sequence"]) if rows else 0

    async def events(self, run: str, after: int = -1, limit: int | None = None) -> list[LoggedEvent]:
        """Return the run's events past the offset `after`, in order."""
        rows = await self._all(
            """select e.sequence, e.id, e.kind, e.node, e.path, e.attempt, e.at, e.data, r.pipeline, r.digest
               from events e left join runs r using (run)
               where e.run = %(run)s and e.sequence > %(after)s order by e.sequence limit %(limit)s""",
            {"run": run, "after": after, "limit": limit},
        )
        return [_line(run, row) for row in rows]

    async def runs(self, wanted: RunFilter) -> list[DictRow]:
        """Return a page of runs, newest first."""
        before_at, before_run = wanted.before or (None, None)
        return await self._all(
            """select run, pipeline, digest, status, waiting_for, failure, accepted_at, ended_at, deadline, replay_of,
                      shadow_of
               from runs where shadow_of is not distinct from %(shadow_of)s
                 and (%(pipeline)s::text is null or pipeline = %(pipeline)s)
                 and (cardinality(%(statuses)s::text[]) = 0 or status = any(%(statuses)s))
                 and (%(after)s::timestamptz is null or accepted_at >= %(after)s)
                 and (%(until)s::timestamptz is null or accepted_at < %(until)s)
                 and (%(before_at)s::timestamptz is null or (accepted_at, run) < (%(before_at)s, %(before_run)s))
               order by accepted_at desc nulls last, run desc limit %(limit)s""",
            {
                "pipeline": wanted.pipeline,
                "statuses": list(wanted.statuses),
                "after": wanted.after,
                "until": wanted.until,
                "before_at": before_at,
                "before_run": before_run,
                "limit": wanted.limit,
                "shadow_of": wanted.shadow_of,
            },
        )

    async def replays(self, run: str) -> list[str]:
        """Return the runs that repeat this one, oldest first, at most 100."""
        rows = await self._all(
            "select run from runs where replay_of = %(run)s order by accepted_at, run limit 100", {"run": run}
        )
        return [row["run"] for row in rows]

    async def open_runs(self, pipeline: str) -> dict[str, int]:
        """Return how many runs of a pipeline have not ended, by digest."""
        rows = await self._all(
            "select digest, count(*) as n from runs where pipeline = %(pipeline)s and ended_at is null group by 1",
            {"pipeline": pipeline},
        )
        return {row["digest"]: row["n"] for row in rows}

    async def shadow(self, pipeline: str, digest: str) -> dict[str, Any]:
        """Return the results of a version in the shadow: counts, where outputs differ, and the last pairs that differ."""
        version = {"pipeline": pipeline, "digest": digest}
        verdicts = await self._all(
            """select verdict, count(*) as n, avg(seconds) as seconds, avg(shadow_seconds) as shadow_seconds
               from shadow_comparisons where pipeline = %(pipeline)s and digest = %(digest)s group by 1""",
            version,
        )
        begun = await self._all(
            """select count(*) as n from runs
               where pipeline = %(pipeline)s and digest = %(digest)s and shadow_of is not null""",
            version,
        )
        paths = await self._all(
            """select d ->> 'path' as path, count(*) as n, min(run) as run
               from shadow_comparisons, jsonb_array_elements(differences) d
               where pipeline = %(pipeline)s and digest = %(digest)s
               group by 1 order by 2 desc, 1 limit 100""",
            version,
        )
        last = await self._all(
            """select run, shadow_run, differences, seconds, shadow_seconds from shadow_comparisons
               where pipeline = %(pipeline)s and digest = %(digest)s and verdict = 'different'
               order by at desc limit 10""",
            version,
        )
        return {"verdicts": verdicts, "runs": begun[0]["n"], "paths": paths, "last": last}

    async def counts(self) -> Counts:
        """Return statistics over everything that the history holds."""
        runs = await self._all(
            "select pipeline, status, count(*) as n from runs where shadow_of is null group by 1, 2", {}
        )
        shadows = await self._all("select pipeline, verdict, count(*) as n from shadow_comparisons group by 1, 2", {})
        notices = await self._all(
            "select coalesce(outcome, 'waiting') as state, count(*) as n from notices group by 1", {}
        )
        drift = await self._all("select service, model, version, feature, psi from drift", {})
        reach = await self._all("select partition, next_sequence from progress", {})
        executions = await self._all(
            """select coalesce(service, '') as service, status, count(*) as n
               from node_executions where service is not null group by 1, 2""",
            {},
        )
        return Counts(
            {(row["pipeline"], row["status"]): row["n"] for row in runs},
            {(row["service"], row["status"]): row["n"] for row in executions},
            {(row["pipeline"], row["verdict"]): row["n"] for row in shadows},
            {row["state"]: row["n"] for row in notices},
            {(row["service"], row["model"], row["version"], row["feature"]): row["psi"] for row in drift},
            {row["partition"]: row["next_sequence"] for row in reach},
        )


async def _bounded(connection: psycopg.AsyncConnection[DictRow]) -> None:
    """Have the server end queries that take too long."""
    await connection.execute("set statement_timeout = '15s'")


def _line(run: str, row: DictRow) -> LoggedEvent:
    kind = EventKind(row["kind"])
    data = row["data"] if isinstance(row["data"], dict) else json.loads(row["data"])
    more = {"pipeline": row["pipeline"], "digest": row["digest"]} if not row["node"] and row["pipeline"] else {}
    at = row["at"].timestamp()
    body = event_json(run, kind.value, row["node"], row["path"], at, row["attempt"], data, **more)
    return LoggedEvent(row["sequence"], row["id"].bytes, kind, body)
