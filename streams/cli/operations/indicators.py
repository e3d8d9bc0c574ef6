"""`indicators`: the socio-economic indicators that loan-appetence reads from PostgreSQL at every scoring."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from streams.cli.exits import Exit, Failed
from streams.cli.output import Output, OutputOption, columns, emit, say
from streams.cli.settings import settings

if TYPE_CHECKING:
    import psycopg

    from streams.datasets.indicators import Month
    from streams.runtime.history.indicators import Row

T = TypeVar("T")

_SECONDS = 10

File = Annotated[
    Path | None,
    typer.Argument(
        help="A table by month, or UCI's bank-additional-full.csv; none means the months that come with Millrace."
    ),
]
MonthText = Annotated[str, typer.Argument(help="Year and month, as 2010-05.", metavar="MONTH")]
Number = Annotated[float | None, typer.Option(help="Its new value.", metavar="NUMBER")]


def load(file: File = None, output: OutputOption = Output.TEXT) -> None:
    """Bring the indicators of a file into the database. Doing it again changes nothing; other months are kept."""
    from streams.datasets import indicators
    from streams.runtime.history import indicators as table

    try:
        found = indicators.shipped() if file is None else indicators.read(file)
    except indicators.BadIndicators as error:
        raise Failed(Exit.REFUSED, str(error)) from error
    changed = _done(lambda connection: table.write(connection, found))
    first, last = min(found), max(found)
    value = {"months": len(found), "changed": changed, "first": str(first), "last": str(last)}
    emit(output, value, f"{len(found)} months, {first} to {last}; {changed} of them new or changed")


def show(output: OutputOption = Output.TEXT) -> None:
    """List the months whose indicators are in the database."""
    from streams.datasets.indicators import COLUMNS
    from streams.runtime.history import indicators as table

    rows = _done(table.every)
    if output is Output.JSON:
        for row in rows:
            emit(output, _document(row), "")
    elif rows:
        cells = [(str(row.month), *(f"{one:g}" for one in row.indicators.values().values())) for row in rows]
        print(columns(cells, ("MONTH", *COLUMNS)))
    else:
        say("millrace: there are no indicators; `millrace indicators load` brings them")


def set_(
    month: MonthText,
    emp_var_rate: Number = None,
    cons_price_idx: Number = None,
    cons_conf_idx: Number = None,
    euribor3m: Number = None,
    nr_employed: Number = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Change indicators of a month; the next scoring reads them. A month that is not there yet needs all five."""
    from streams.datasets.indicators import BadIndicators, Month

    every = {
        "emp_var_rate": emp_var_rate,
        "cons_price_idx": cons_price_idx,
        "cons_conf_idx": cons_conf_idx,
        "euribor3m": euribor3m,
        "nr_employed": nr_employed,
    }
    given = {name: value for name, value in every.items() if value is not None}
    try:
        wanted = Month.parse(month)
        if not given:
            raise Failed(Exit.USAGE, f"nothing to change: give {', '.join(map(_option, every))}, or some of them")
        row = _done(lambda connection: _changed(connection, wanted, given, len(given) == len(every)))
    except BadIndicators as error:
        raise Failed(Exit.REFUSED, str(error)) from error
    if row is None:
        missing = ", ".join(_option(name) for name in every if name not in given)
        raise Failed(Exit.UNKNOWN, f"{wanted} is not there yet; to add it, give {missing} too")
    text = ", ".join(f"{name} {value:g}" for name, value in row.indicators.values().items())
    emit(output, _document(row), f"{row.month}: {text}")


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


async def _changed(
    connection: "psycopg.AsyncConnection[Any]", month: "Month", given: dict[str, float], whole: bool
) -> "Row | None":
    from streams.datasets.indicators import Indicators
    from streams.runtime.history import indicators as table

    async with connection.transaction():
        known = await table.at(connection, month)
        if known is None and not whole:
            return None
        made: Indicators = Indicators(**{**(known.indicators.values() if known else {}), **given})
        await table.write(connection, {month: made})
        return await table.at(connection, month)


def _document(row: "Row") -> dict[str, Any]:
    return {"month": str(row.month), **row.indicators.values(), "updated_at": row.updated_at.isoformat()}


def _done(action: "Callable[[psycopg.AsyncConnection[Any]], Awaitable[T]]") -> T:
    """What an action on the database gives, with the table there; an outage ends the command."""
    import psycopg

    from streams.runtime.history import indicators as table

    async def act() -> T:
        async with await psycopg.AsyncConnection.connect(
            settings().postgres, autocommit=True, connect_timeout=_SECONDS
        ) as connection:
            await table.ensure(connection)
            return await action(connection)

    try:
        return asyncio.run(act())
    except psycopg.Error as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise Failed(Exit.AWAY, f"PostgreSQL does not do it: {lines[0]}") from error
