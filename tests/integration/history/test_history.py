"""The tables of the history, in a real PostgreSQL: made once, and asked for without holding anybody up."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg

from streams.runtime.history import tables
from streams.runtime.models import champions
from streams.settings import Settings


@asynccontextmanager
async def schema(settings: Settings) -> AsyncIterator[str]:
    """A schema of its own, dropped at the end; its name."""
    name = f"t{uuid.uuid4().hex[:10]}"
    async with await psycopg.AsyncConnection.connect(settings.postgres, autocommit=True) as connection:
        await connection.execute(f"create schema {name}".encode())
        try:
            yield name
        finally:
            await connection.execute(f"drop schema {name} cascade".encode())


async def inside(settings: Settings, name: str, **more: Any) -> psycopg.AsyncConnection[Any]:
    """A connection to that schema; it waits for no lock."""
    connection = await psycopg.AsyncConnection.connect(settings.postgres, autocommit=True, **more)
    await connection.execute(f"set search_path to {name}".encode())
    await connection.execute(b"set lock_timeout = '2s'")
    return connection


def test_creating_the_tables_does_not_wait_for_writers(settings: Settings) -> None:
    """Else who asks every few seconds and who writes all the time are a deadlock sooner or later."""

    async def main() -> None:
        async with schema(settings) as name, await inside(settings, name) as writing:
            await tables.ensure(writing)
            async with writing.transaction(), await inside(settings, name) as asking:
                for table in ("events", "runs", "node_executions"):
                    await writing.execute(f"lock table {table} in row exclusive mode".encode())
                await tables.ensure(asking)

    asyncio.run(main())


def test_tables_of_an_older_text_are_brought_up_to_date(settings: Settings) -> None:
    """What another release made lacks what this one has."""

    async def main() -> None:
        async with schema(settings) as name, await inside(settings, name) as connection:
            await tables.ensure(connection)
            await connection.execute(b"drop table drift")
            await tables.ensure(connection)  # the text is the same: nothing is done
            await connection.execute(b"comment on table progress is 'an older text'")
            await tables.ensure(connection)
            counted = await connection.execute(b"select count(*) from drift")
            assert await counted.fetchall() == [(0,)]

    asyncio.run(main())


def test_a_registry_of_models_that_is_not_made_yet_is_no_error(settings: Settings) -> None:
    """It is asked for every two seconds: PostgreSQL's log would say so each time."""

    async def main() -> None:
        async with schema(settings) as name:
            connection = await inside(settings, name, row_factory=psycopg.rows.dict_row)
            async with connection, connection.transaction():  # an error would end the transaction
                assert await champions.versions(connection) == []
                await connection.execute(b"select 1")

    asyncio.run(main())
