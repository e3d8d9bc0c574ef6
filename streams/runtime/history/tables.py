"""The tables of the run history: readers and writers make sure first that they exist."""

import hashlib
from functools import cache
from importlib import resources
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import DictRow, dict_row

from streams.runtime.history.advisory_locks import Lock


def schema() -> str:
    """Read the SQL that creates the tables; running it again changes nothing."""
    return resources.files("streams.runtime.history").joinpath("history.sql").read_text(encoding="utf-8")


async def connected(postgres: str) -> psycopg.AsyncConnection[DictRow]:
    """Connect to the history and create its tables if needed; `async with` closes the connection. Raises psycopg.Error."""
    connection = await psycopg.AsyncConnection.connect(
        postgres, autocommit=True, connect_timeout=5, row_factory=dict_row
    )
    try:
        await ensure(connection)
    except BaseException:
        await connection.close()
        raise
    return connection


async def ensure(connection: psycopg.AsyncConnection[Any]) -> None:
    """Create the missing tables, in one transaction. Raises psycopg.Error.

    Does nothing when this very SQL created them: even `create index if not exists` blocks every writer for a moment, and two
    processes that wait for each other are a deadlock.
    """
    if await _up_to_date(connection):
        return
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock(%s)", (Lock.HISTORY,))
        if not await _up_to_date(connection):
            await connection.execute(schema().encode())
            await connection.execute(sql.SQL("comment on table progress is {}").format(sql.Literal(_fingerprint())))


async def _up_to_date(connection: psycopg.AsyncConnection[Any]) -> bool:
    """Look whether this very SQL created the tables: a comment on one of them holds its fingerprint."""
    cursor = await connection.execute(
        "select obj_description(to_regclass('progress'), 'pg_class') = %s as made", [_fingerprint()]
    )
    row = await cursor.fetchone()
    return bool(row["made"] if isinstance(row, dict) else row and row[0])


@cache
def _fingerprint() -> str:
    return hashlib.sha256(schema().encode()).hexdigest()
