"""The notices of ended runs, in PostgreSQL: the notifier agent sends them, and clients list them and have them sent again."""

from datetime import datetime

from psycopg.rows import DictRow

from gateway.data.history import History


class Notices:
    """Reads notices and marks them to be sent again. See `gateway.data.interfaces.NoticeStore`."""

    def __init__(self, history: History) -> None:
        self._history = history

    async def page(self, state: str | None, run: str | None, since: datetime | None, limit: int) -> list[DictRow]:
        """Return notices, newest first. Raises HistoryUnavailable."""
        async with self._history.connection() as connection:
            cursor = await connection.execute(
                """select * from notices
                    where (%(state)s::text is null or coalesce(outcome, 'waiting') = %(state)s)
                      and (%(run)s::text is null or run = %(run)s)
                      and (%(since)s::timestamptz is null or made_at >= %(since)s)
                    order by made_at desc, id limit %(limit)s""",
                {"state": state, "run": run, "since": since, "limit": limit},
            )
            return await cursor.fetchall()

    async def resend(self, identity: str) -> DictRow | None:
        """Mark a notice to be sent again at once; None when there is no such id. Raises HistoryUnavailable."""
        async with self._history.connection() as connection:
            cursor = await connection.execute(
                "update notices set outcome = null, tries = 0, due = now() where id = %s::uuid returning *", [identity]
            )
            return await cursor.fetchone()
