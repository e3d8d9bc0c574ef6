"""The callbacks that are still to be made, in PostgreSQL, where all gateways share them."""

from collections.abc import Collection
from typing import Any

from gateway.data.history import History
from gateway.data.interfaces import CallbackClaim
from streams.runtime.history.advisory_locks import Lock

_LEASE = 60
"""Seconds that a gateway has for one try before another one may claim the callback."""
MAX_TRIES_AT_ONCE = 16
MAX_TRIES_PER_RECEIVER = 2
"""Simultaneous tries at one receiver: one that hangs must not keep the others waiting."""

_TABLE = b"""
create table if not exists callbacks (
    run     text primary key,
    url     text not null,
    tries   integer not null default 0,
    due     timestamptz not null default now(),
    outcome text check (outcome in ('delivered', 'given up')),
    error   text
);
create index if not exists callbacks_due on callbacks (due) where outcome is null;
"""
# `due` is asked twice: a callback that another gateway has claimed meanwhile is no longer due.
_CLAIM = b"""
update callbacks set tries = tries + 1, due = now() + make_interval(secs => %(lease)s)
where run in (
    select run from callbacks where outcome is null and due <= now() and run in (
        select run from (
            select run, due, receiver, row_number() over (partition by receiver order by due) as place
            from callbacks c left join runs r using (run),
                lateral (select substring(c.url from '://([^/?#]+)') as receiver) as its
            where c.outcome is null and c.due <= now()
              and (r.ended_at is not null or c.tries > 0 or c.run = any(%(ended)s))
              and receiver <> all(%(busy)s)
        ) as waiting
        where place <= %(each)s order by due limit %(most)s
    ) for update skip locked
)
returning run, url, substring(url from '://([^/?#]+)') as receiver, tries
"""


class StoredCallbacks:
    """Keeps callbacks until they are settled. See `gateway.data.interfaces.CallbackStore`."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._has_table = False

    async def add(self, run: str, url: str) -> None:
        """Keep a callback; one that is kept already stays as it is. Raises HistoryUnavailable."""
        async with self._history.connection() as connection:
            await self._ensure_table(connection)
            await connection.execute(
                "insert into callbacks (run, url) values (%s, %s) on conflict (run) do nothing", (run, url)
            )

    async def claim(self, ended: Collection[str], busy: Collection[str]) -> list[CallbackClaim]:
        """Claim callbacks that are due. `busy`: the receiver of each try in progress. Raises HistoryUnavailable."""
        values = {
            "lease": _LEASE,
            "ended": list(ended),
            "busy": list(busy),
            "each": MAX_TRIES_PER_RECEIVER,
            "most": MAX_TRIES_AT_ONCE - len(busy),
        }
        async with self._history.connection() as connection:
            await self._ensure_table(connection)
            cursor = await connection.execute(_CLAIM, values)
            return [CallbackClaim(**row) for row in await cursor.fetchall()]

    async def settle(self, run: str, outcome: str | None, error: str, pause: float) -> None:
        """Record the result of a try; None as outcome: to be tried again after `pause` seconds. Raises HistoryUnavailable."""
        async with self._history.connection() as connection:
            await connection.execute(
                """update callbacks set outcome = %s, error = %s, due = now() + make_interval(secs => %s)
                   where run = %s""",
                (outcome, error[:500] or None, pause, run),
            )

    async def _ensure_table(self, connection: Any) -> None:
        if not self._has_table:
            async with connection.transaction():
                await connection.execute("select pg_advisory_xact_lock(%s)", (Lock.CALLBACKS,))
                await connection.execute(_TABLE)
                await connection.execute("delete from callbacks where due < now() - interval '30 days'")
            self._has_table = True
