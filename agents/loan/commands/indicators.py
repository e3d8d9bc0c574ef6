"""`millrace indicators`: the socio-economic indicators that loan-appetence reads from PostgreSQL at every scoring."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from agents.loan.indicators import COLUMNS, BadIndicators, Indicators, Month, read, shipped
from streams.cli.exits import Exit, Failed
from streams.cli.output import Output, OutputOption, emit, emit_list
from streams.cli.settings import settings

if TYPE_CHECKING:
    from agents.loan.indicators_table import Connection, IndicatorsRow

T = TypeVar("T")

_SECONDS = 10
"""Seconds to connect to PostgreSQL."""

File = Annotated[
    Path | None,
    typer.Argument(
        help="A table by month, or UCI's bank-additional-full.csv; without it, the months that come with Millrace."
    ),
]
MonthText = Annotated[str, typer.Argument(help="Year and month, as 2010-05.", metavar="MONTH")]
Number = Annotated[float | None, typer.Option(help="Its new value.", metavar="NUMBER")]


def load(file: File = None, output: OutputOption = Output.TEXT) -> None:
    """Load the indicators of a file into the database. Repeating it changes nothing; other months are kept."""
    from agents.loan import indicators_table

    try:
        months = shipped() if file is None else read(file)
    except BadIndicators as error:
        raise Failed(Exit.REFUSED, str(error)) from error
    changed = _query(lambda connection: indicators_table.write(connection, months))
    first, last = min(months), max(months)
    value = {"months": len(months), "changed": changed, "first": str(first), "last": str(last)}
    emit(output, value, f"{len(months)} months, {first} to {last}; {changed} of them new or changed")


def show(output: OutputOption = Output.TEXT) -> None:
    """List the months whose indicators are in the database."""
    from agents.loan import indicators_table

    rows = _query(indicators_table.every)
    documents = (_document(row) for row in rows)
    cells = ((str(row.month), *(f"{value:g}" for value in row.indicators.values().values())) for row in rows)
    empty = "there are no indicators; `millrace indicators load` loads them"
    emit_list(output, documents, ("MONTH", *COLUMNS), cells, empty)


def set_(
    month: MonthText,
    emp_var_rate: Number = None,
    cons_price_idx: Number = None,
    cons_conf_idx: Number = None,
    euribor3m: Number = None,
    nr_employed: Number = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Change indicators of a month; the next scoring reads them. A month that is not in the table yet needs all five."""
    options = {
        "emp_var_rate": emp_var_rate,
        "cons_price_idx": cons_price_idx,
        "cons_conf_idx": cons_conf_idx,
        "euribor3m": euribor3m,
        "nr_employed": nr_employed,
    }
    values = {name: value for name, value in options.items() if value is not None}
    try:
        changed_month = Month.parse(month)
        if not values:
            raise Failed(Exit.USAGE, f"nothing to change: give {', '.join(map(_option, options))}, or some of them")
        row = _query(lambda connection: _changed(connection, changed_month, values))
    except BadIndicators as error:
        raise Failed(Exit.REFUSED, str(error)) from error
    if row is None:
        missing = ", ".join(_option(name) for name in options if name not in values)
        raise Failed(Exit.UNKNOWN, f"{changed_month} is not there yet; to add it, give {missing} too")
    text = ", ".join(f"{name} {value:g}" for name, value in row.indicators.values().items())
    emit(output, _document(row), f"{row.month}: {text}")


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


async def _changed(connection: "Connection", month: Month, values: dict[str, float]) -> "IndicatorsRow | None":
    """Change these indicators of a month; None for a new month without all of them."""
    from agents.loan import indicators_table

    async with connection.transaction():
        known = await indicators_table.at(connection, month)
        if known is None and values.keys() < COLUMNS.keys():
            return None
        indicators = Indicators(**{**(known.indicators.values() if known else {}), **values})
        await indicators_table.write(connection, {month: indicators})
        return await indicators_table.at(connection, month)


def _document(row: "IndicatorsRow") -> dict[str, Any]:
    return {"month": str(row.month), **row.indicators.values(), "updated_at": row.updated_at.isoformat()}


def _query(action: "Callable[[Connection], Awaitable[T]]") -> T:
    """Run an action on the database, creating the table first. Raises Failed when PostgreSQL fails."""
    import psycopg

    from agents.loan import indicators_table

    async def act() -> T:
        async with await psycopg.AsyncConnection.connect(
            settings().postgres, autocommit=True, connect_timeout=_SECONDS
        ) as connection:
            await indicators_table.ensure(connection)
            return await action(connection)

    try:
        return asyncio.run(act())
    except psycopg.Error as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise Failed(Exit.UNAVAILABLE, f"PostgreSQL failed: {lines[0]}") from error
