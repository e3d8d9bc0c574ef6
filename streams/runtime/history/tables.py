"""The tables of the run history: who reads or writes them makes sure first that they exist."""

import hashlib
from functools import cache
from importlib import resources
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import DictRow, dict_row

from streams.runtime.history.advisory_locks import Lock


def schema() -> str:
    """The SQL text that makes the tables; running it again changes nothing."""
    return resources.files("streams.runtime.history").joinpath("history.sql").read_text(encoding="utf-8")


async def connected(postgres: str) -> psycopg.AsyncConnection[DictRow]:
    """A connection to the history, whose tables are there; used with `async with`, it is closed. Raises psycopg.Error."""
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
    """Makes the tables that are missing, in one transaction. Raises psycopg.Error.

    Where they are as this text says, nothing is done: also an index that is there already keeps every writer waiting while it
    is asked for, and two that wait for each other are a deadlock.
    """
    if await _made(connection):
        return
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock(%s)", (Lock.HISTORY,))
        if not await _made(connection):
            await connection.execute(schema().encode())
            await connection.execute(sql.SQL("comment on table progress is {}").format(sql.Literal(_fingerprint())))


async def _made(connection: psycopg.AsyncConnection[Any]) -> bool:
    """Whether the tables were made by this very text; which one made them stands as a comment on one of them."""
    found = await connection.execute(
        "select obj_description(to_regclass('progress'), 'pg_class') = %s as made", [_fingerprint()]
    )
    row = await found.fetchone()
    return bool(row["made"] if isinstance(row, dict) else row and row[0])


@cache
def _fingerprint() -> str:
    return hashlib.sha256(schema().encode()).hexdigest()
