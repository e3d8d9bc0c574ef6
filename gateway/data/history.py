"""History: what the recorder wrote to PostgreSQL, read for clients. Only reads."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from gateway.data.logged_event import LoggedEvent
from gateway.data.render import event_json
from streams.errors import Blame, MillraceError
from streams.messages import EventKind
from streams.runtime.history import tables
from streams.runtime.history.borrowing import borrowed


class HistoryUnavailable(MillraceError):
    """PostgreSQL does not answer; the same call may succeed later."""

    blame = Blame.NOBODY


@dataclass(frozen=True)
class RunFilter:
    """Which runs to list. `before` is the place of the last one of the page before: its time and id."""

    pipeline: str | None = None
    statuses: Sequence[str] = ()
    after: datetime | None = None
    until: datetime | None = None
    before: tuple[datetime, str] | None = None
    limit: int = 50
    shadow_of: str | None = None
    """Only shadows of this run; None: no shadows at all."""


@dataclass(frozen=True)
class Counts:
    """How many runs by (pipeline, status), and node executions by (service, status)."""

    runs: Mapping[tuple[str, str], int] = field(default_factory=dict)
    executions: Mapping[tuple[str, str], int] = field(default_factory=dict)
    shadows: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Comparisons of shadows with what callers got, by (pipeline, verdict)."""
    notices: Mapping[str, int] = field(default_factory=dict)
    """What is told of ended runs, by state: waiting, delivered, given up."""
    drift: Mapping[tuple[str, str, str, str], float] = field(default_factory=dict)
    """Population stability indices by (service, model, version, feature)."""
    reach: Mapping[int, int] = field(default_factory=dict)
    """How far each partition of run.events is recorded: every event before this offset."""
    behind: int = 0
    """Events that this gateway had seen and that were not recorded yet."""


class History:
    """Reads the tables of `streams.runtime.history.tables`; every call may raise HistoryUnavailable."""

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
        """A connection to a database that has the tables. Raises HistoryUnavailable."""
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
        """Returns when the database answers."""
        await self._all("select 1", {})

    async def reach(self, partition: int) -> int:
        """Every event of the partition of run.events before this offset is in the history."""
        rows = await self._all(
            "select next_sequence from progress where partition = %(partition)s", {"partition": partition}
        )
        return int(rows[0]["next_sequence"]) if rows else 0

    async def run(self, run: str) -> DictRow | None:
        """The run's row, if the history has it."""
        rows = await self._all("select * from runs where run = %(run)s", {"run": run})
        return rows[0] if rows else None

    async def events(self, run: str, after: int = -1, limit: int | None = None) -> list[LoggedEvent]:
        """The run's events past the offset `after`, in order."""
        rows = await self._all(
            """select e.sequence, e.id, e.kind, e.node, e.path, e.attempt, e.at, e.data, r.pipeline, r.digest
               from events e left join runs r using (run)
               where e.run = %(run)s and e.sequence > %(after)s order by e.sequence limit %(limit)s""",
            {"run": run, "after": after, "limit": limit},
        )
        return [_line(run, row) for row in rows]

    async def runs(self, wanted: RunFilter) -> list[DictRow]:
        """A page of runs, newest first."""
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
        """The runs that repeat this one, oldest first."""
        rows = await self._all(
            "select run from runs where replay_of = %(run)s order by accepted_at, run limit 100", {"run": run}
        )
        return [row["run"] for row in rows]

    async def open_runs(self, pipeline: str) -> dict[str, int]:
        """How many runs of a pipeline are not over, by digest."""
        rows = await self._all(
            "select digest, count(*) as n from runs where pipeline = %(pipeline)s and ended_at is null group by 1",
            {"pipeline": pipeline},
        )
        return {row["digest"]: row["n"] for row in rows}

    async def shadow(self, pipeline: str, digest: str) -> dict[str, Any]:
        """What came of running a version in the shadow: counts, where outputs differ, and the pairs that differ last."""
        which = {"pipeline": pipeline, "digest": digest}
        verdicts = await self._all(
            """select verdict, count(*) as n, avg(seconds) as seconds, avg(shadow_seconds) as shadow_seconds
               from shadow_comparisons where pipeline = %(pipeline)s and digest = %(digest)s group by 1""",
            which,
        )
        begun = await self._all(
            """select count(*) as n from runs
               where pipeline = %(pipeline)s and digest = %(digest)s and shadow_of is not null""",
            which,
        )
        paths = await self._all(
            """select d ->> 'path' as path, count(*) as n, min(run) as run
               from shadow_comparisons, jsonb_array_elements(differences) d
               where pipeline = %(pipeline)s and digest = %(digest)s
               group by 1 order by 2 desc, 1 limit 100""",
            which,
        )
        last = await self._all(
            """select run, shadow_run, differences, seconds, shadow_seconds from shadow_comparisons
               where pipeline = %(pipeline)s and digest = %(digest)s and verdict = 'different'
               order by at desc limit 10""",
            which,
        )
        return {"verdicts": verdicts, "runs": begun[0]["n"], "paths": paths, "last": last}

    async def counts(self) -> Counts:
        """Statistics over everything the history holds."""
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
    """A query that takes too long is ended by the server, not waited for."""
    await connection.execute("set statement_timeout = '15s'")


def _line(run: str, row: DictRow) -> LoggedEvent:
    kind = EventKind(row["kind"])
    data = row["data"] if isinstance(row["data"], dict) else json.loads(row["data"])
    more = {"pipeline": row["pipeline"], "digest": row["digest"]} if not row["node"] and row["pipeline"] else {}
    at = row["at"].timestamp()
    body = event_json(run, kind.value, row["node"], row["path"], at, row["attempt"], data, **more)
    return LoggedEvent(row["sequence"], row["id"].bytes, kind, body)
