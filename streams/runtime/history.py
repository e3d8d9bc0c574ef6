"""The tables of the run history: who reads or writes them makes sure first that they exist."""

from importlib import resources

import psycopg

_LOCK = 0x6D696C6C
"""Any number that nobody else uses: two processes that create the tables at once would collide in the catalogue."""


def schema() -> str:
    """The SQL text that makes the tables; running it again changes nothing."""
    return resources.files("streams.runtime").joinpath("history.sql").read_text(encoding="utf-8")


async def ensure(connection: psycopg.AsyncConnection[object]) -> None:
    """Makes the tables that are missing, in one transaction. Raises psycopg.Error."""
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
        await connection.execute(schema().encode())
