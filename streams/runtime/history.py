"""The tables of the run history: who reads or writes them makes sure first that they exist."""

from importlib import resources

import psycopg
from psycopg.rows import DictRow, dict_row

_LOCK = 0x6D696C6C
"""Any number that nobody else uses: two processes that create the tables at once would collide in the catalogue."""


def schema() -> str:
    """The SQL text that makes the tables; running it again changes nothing."""
    return resources.files("streams.runtime").joinpath("history.sql").read_text(encoding="utf-8")


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


async def ensure(connection: psycopg.AsyncConnection[object]) -> None:
    """Makes the tables that are missing, in one transaction. Raises psycopg.Error."""
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
        await connection.execute(schema().encode())
