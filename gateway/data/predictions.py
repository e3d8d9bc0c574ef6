"""Predictions and their corrections, in PostgreSQL: the recorder writes what models said, people correct it."""

import json
from typing import Any

from psycopg.rows import DictRow

from gateway.data.history import History
from gateway.data.interfaces import PredictionFilter

_SELECT = """
select p.*, c.new as corrected, c.author, c.at as corrected_at
from predictions p
left join lateral (select new, author, at from corrections where prediction = p.id order by id desc limit 1) c on true
"""
_CHOSEN = """
where (%(service)s::text is null or p.service = %(service)s)
  and (%(model)s::text is null or p.model = %(model)s)
  and (%(version)s::text is null or p.version = %(version)s)
  and (%(run)s::text is null or p.run = %(run)s)
  and (%(since)s::timestamptz is null or p.at >= %(since)s)
  and (%(until)s::timestamptz is null or p.at < %(until)s)
  and (%(below)s::float8 is null or p.confidence < %(below)s)
  and (%(corrected)s::boolean is null or (c.new is not null) = %(corrected)s)
  -- Few of many predictions are corrected: they are looked up by id, not scanned for.
  and (%(corrected)s::boolean is distinct from true or p.id in (select prediction from corrections))
  and (%(at)s::timestamptz is null or (p.at, p.id) < (%(at)s, %(id)s::uuid))
order by p.at desc, p.id desc limit %(limit)s
"""


class Predictions:
    """Reads predictions and writes corrections. See `gateway.data.interfaces.PredictionStore`."""

    def __init__(self, history: History) -> None:
        self._history = history

    async def page(self, wanted: PredictionFilter) -> list[DictRow]:
        """Return a page, newest first. Raises HistoryUnavailable."""
        at, identity = wanted.before or (None, None)
        async with self._history.connection() as connection:
            cursor = await connection.execute((_SELECT + _CHOSEN).encode(), {**vars(wanted), "at": at, "id": identity})
            return await cursor.fetchall()

    async def find(self, identity: str) -> tuple[DictRow, list[DictRow]] | None:
        """Return a prediction and its corrections, oldest first; None when there is no such id."""
        async with self._history.connection() as connection:
            cursor = await connection.execute(f"{_SELECT} where p.id = %s::uuid".encode(), [identity])
            row = await cursor.fetchone()
            if row is None:
                return None
            corrections = await connection.execute(
                "select author, at, old, new from corrections where prediction = %s::uuid order by id", [identity]
            )
            return row, await corrections.fetchall()

    async def drift(self, service: str | None, version: str | None) -> list[DictRow]:
        """Return the last measurements: of a service, of a version of its model, or of all."""
        async with self._history.connection() as connection:
            cursor = await connection.execute(
                """select service, model, version as model_version, feature, psi, chance, level, predictions, measured_at
                   from drift where (%(service)s::text is null or service = %(service)s)
                     and (%(version)s::text is null or version = %(version)s)
                   order by service, measured_at desc, version, feature limit 1000""",
                {"service": service, "version": version},
            )
            return await cursor.fetchall()

    async def correct(self, identity: str, label: str, right: Any, author: str) -> bool:
        """Record that the output's field `label` should have been `right`; False when that is its label already.

        The label that counts already is not written again, so that a call may be repeated.
        """
        async with self._history.connection() as connection, connection.transaction():
            # The row is locked, so that of two simultaneous corrections one sees the other as the old label.
            cursor = await connection.execute(
                "select output -> %s::text as said from predictions where id = %s::uuid for update", [label, identity]
            )
            (row,) = await cursor.fetchall()
            cursor = await connection.execute(
                "select new from corrections where prediction = %s::uuid order by id desc limit 1", [identity]
            )
            last = await cursor.fetchone()
            if last is not None and last["new"] == right:
                return False
            await connection.execute(
                "insert into corrections (prediction, author, old, new) values (%s::uuid, %s, %s::jsonb, %s::jsonb)",
                [identity, author, json.dumps(last["new"] if last else row["said"]), json.dumps(right)],
            )
            return True
