"""The table of socio-economic indicators in PostgreSQL: create, fill, write and read it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import Any

import psycopg

from agents.loan.indicators import COLUMNS, Indicators, Month, shipped

LOCK = 0x6D696C6E
"""PostgreSQL's advisory lock while the table is created; differs from those of `streams.runtime.history.advisory_locks`."""

_NAMES = ", ".join(COLUMNS)
_ROW = f"select year, month, updated_at, {_NAMES} from socio_economic"  # noqa: S608  # constant names
_WRITE = f"""
insert into socio_economic as known (year, month, {_NAMES})
values (%s, %s, {", ".join(["%s"] * len(COLUMNS))})
on conflict (year, month) do update set {", ".join(f"{name} = excluded.{name}" for name in COLUMNS)}, updated_at = now()
where ({", ".join(f"known.{name}" for name in COLUMNS)}) is distinct from ({", ".join(f"excluded.{name}" for name in COLUMNS)})
"""  # noqa: S608


@dataclass(frozen=True)
class IndicatorsRow:
    """The indicators of one month in the table."""

    month: Month
    indicators: Indicators
    updated_at: datetime


Connection = psycopg.AsyncConnection[Any]


async def ensure(connection: Connection) -> None:
    """Create the table if it is missing. Raises psycopg.Error."""
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
        await connection.execute(_definition())


def fill(connection: psycopg.Connection[Any]) -> int:
    """Create the table if it is missing, write the shipped months if it is empty, and return how many were written.

    A table that has any month is left as it is. Raises psycopg.Error.
    """
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
        connection.execute(_definition())
        if connection.execute("select exists (select from socio_economic)").fetchone() == (True,):
            return 0
        months = shipped()
        rows = [(month.year, month.month, *row.values().values()) for month, row in months.items()]
        with connection.cursor() as cursor:
            cursor.executemany(_WRITE.encode(), rows)
    return len(months)


async def write(connection: Connection, rows: Mapping[Month, Indicators]) -> int:
    """Write all of these months or none, and return how many were added or changed. Raises psycopg.Error."""
    changed = 0
    async with connection.transaction():
        await connection.execute(
            "set local synchronous_commit = on"
        )  # unlike history, these rows are not written again
        for month, indicators in rows.items():
            cursor = await connection.execute(_WRITE.encode(), (month.year, month.month, *indicators.values().values()))
            changed += cursor.rowcount
    return changed


async def at(connection: Connection, month: Month) -> IndicatorsRow | None:
    """Read the row of a month; None if there is no such row. Raises psycopg.Error."""
    return await _first(connection, f"{_ROW} where year = %s and month = %s", (month.year, month.month))


async def newest(connection: Connection, number: int | None = None) -> IndicatorsRow | None:
    """Read the latest row, of one month of the year (1 to 12) or of all; None if there is none. Raises psycopg.Error."""
    where = "" if number is None else " where month = %s"
    parameters = () if number is None else (number,)
    return await _first(connection, f"{_ROW}{where} order by year desc, month desc limit 1", parameters)


async def every(connection: Connection) -> tuple[IndicatorsRow, ...]:
    """Read every row, in order of time. Raises psycopg.Error."""
    cursor = await connection.execute(f"{_ROW} order by year, month".encode())
    return tuple([_row(values) for values in await cursor.fetchall()])


async def months(connection: Connection) -> tuple[Month, ...]:
    """Read which months the table has, in order of time. Raises psycopg.Error."""
    cursor = await connection.execute("select year, month from socio_economic order by year, month")
    return tuple([Month(*values) for values in await cursor.fetchall()])


def _definition() -> bytes:
    return resources.files("agents.loan").joinpath("indicators.sql").read_bytes()


async def _first(connection: Connection, query: str, parameters: tuple[int, ...]) -> IndicatorsRow | None:
    values = await (await connection.execute(query.encode(), parameters)).fetchone()
    return None if values is None else _row(values)


def _row(values: tuple[Any, ...]) -> IndicatorsRow:
    year, month, updated_at, *indicators = values
    return IndicatorsRow(Month(year, month), Indicators(*indicators), updated_at)
