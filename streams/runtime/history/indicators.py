"""The table of socio-economic indicators: making, filling and reading it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import Any

import psycopg

from streams.datasets.indicators import COLUMNS, Indicators, Month, shipped
from streams.runtime.history.advisory_locks import Lock

_NAMES = ", ".join(COLUMNS)
_ROW = f"select year, month, updated_at, {_NAMES} from socio_economic"  # noqa: S608  # names of our own
_WRITE = f"""
insert into socio_economic as known (year, month, {_NAMES})
values (%s, %s, {", ".join(["%s"] * len(COLUMNS))})
on conflict (year, month) do update set {", ".join(f"{one} = excluded.{one}" for one in COLUMNS)}, updated_at = now()
where ({", ".join(f"known.{one}" for one in COLUMNS)}) is distinct from ({", ".join(f"excluded.{one}" for one in COLUMNS)})
"""  # noqa: S608


@dataclass(frozen=True)
class Row:
    """A month's indicators as the table has them."""

    month: Month
    indicators: Indicators
    updated_at: datetime


Connection = psycopg.AsyncConnection[Any]


async def ensure(connection: Connection) -> None:
    """Makes the table when it is missing. Raises psycopg.Error."""
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock(%s)", (Lock.INDICATORS,))
        await connection.execute(_text())


def fill(connection: psycopg.Connection[Any]) -> int:
    """Makes the table when it is missing, and puts the shipped months into one that is empty; how many. Raises psycopg.Error.

    A table with any month in it is left as it is: it is somebody's own.
    """
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", (Lock.INDICATORS,))
        connection.execute(_text())
        if connection.execute("select exists (select from socio_economic)").fetchone() == (True,):
            return 0
        months = shipped()
        rows = [(month.year, month.month, *one.values().values()) for month, one in months.items()]
        with connection.cursor() as cursor:
            cursor.executemany(_WRITE.encode(), rows)
    return len(months)


async def write(connection: Connection, rows: Mapping[Month, Indicators]) -> int:
    """Puts these months into the table, all of them or none; how many were new or other than before. Raises psycopg.Error."""
    changed = 0
    async with connection.transaction():
        await connection.execute("set local synchronous_commit = on")  # unlike history, nobody writes it once more
        for month, one in rows.items():
            done = await connection.execute(_WRITE.encode(), (month.year, month.month, *one.values().values()))
            changed += done.rowcount
    return changed


async def at(connection: Connection, month: Month) -> Row | None:
    """The row of a month; None when there is none. Raises psycopg.Error."""
    return await _one(connection, f"{_ROW} where year = %s and month = %s", (month.year, month.month))


async def newest(connection: Connection, number: int | None = None) -> Row | None:
    """The latest row, of all or of those of one month of the year (1 to 12). Raises psycopg.Error."""
    where = "" if number is None else " where month = %s"
    given = () if number is None else (number,)
    return await _one(connection, f"{_ROW}{where} order by year desc, month desc limit 1", given)


async def every(connection: Connection) -> tuple[Row, ...]:
    """Every row, in order of time. Raises psycopg.Error."""
    found = await connection.execute(f"{_ROW} order by year, month".encode())
    return tuple([_row(values) for values in await found.fetchall()])


async def months(connection: Connection) -> tuple[Month, ...]:
    """The months that there are, in order of time. Raises psycopg.Error."""
    found = await connection.execute("select year, month from socio_economic order by year, month")
    return tuple([Month(*values) for values in await found.fetchall()])


def _text() -> bytes:
    return resources.files("streams.runtime.history").joinpath("indicators.sql").read_bytes()


async def _one(connection: Connection, query: str, given: tuple[int, ...]) -> Row | None:
    found = await (await connection.execute(query.encode(), given)).fetchone()
    return None if found is None else _row(found)


def _row(values: tuple[Any, ...]) -> Row:
    year, month, updated_at, *indicators = values
    return Row(Month(year, month), Indicators(*indicators), updated_at)
