"""Read the current indicators from PostgreSQL; only connections are kept between scorings."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any, Self
from weakref import WeakKeyDictionary

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from agents.loan import indicators_table
from agents.loan.indicators import Month
from agents.loan.indicators_table import IndicatorsRow
from agents.loan.when import When
from streams.runtime.history.borrowing import borrowed
from streams.service.errors import InvalidInput, PartUnavailable

PART = "postgres"
WAIT = 2.0
"""Seconds to get a connection; connections are opened on demand."""
QUERY = 2.0
"""Seconds for a query, which takes about a millisecond."""
MOST = 4
"""Largest number of connections in a process."""
_LISTED = 40
"""Largest number of months that an error lists one by one."""
_HINT = "`millrace indicators load` loads the table, `millrace indicators set` adds a month"

# The caller gets the error; the pool would also log it once for each of its attempts.
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


class _Connection(psycopg.AsyncConnection[Any]):
    """A connection that records why connecting failed, which the pool's own timeout error does not say."""

    failure = ""

    @classmethod
    async def connect(cls, *args: Any, **kwargs: Any) -> Self:
        try:
            connection = await super().connect(*args, **kwargs)
        except psycopg.Error as error:
            _Connection.failure = _first_line(error)
            raise
        _Connection.failure = ""
        return connection


class Economy:
    """A pool of connections to one database."""

    def __init__(self, url: str) -> None:
        self._pool = AsyncConnectionPool(
            url,
            connection_class=_Connection,
            min_size=0,
            max_size=MOST,
            timeout=WAIT,
            reconnect_timeout=WAIT,
            max_idle=60,
            open=False,
            configure=_bounded,
            check=AsyncConnectionPool.check_connection,  # older connections are dead after a restart of the server
            kwargs={
                "autocommit": True,
                "connect_timeout": max(2, int(WAIT)),
                "application_name": "loan-appetence",
            },
        )

    async def __aenter__(self) -> Self:
        await self._pool.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    async def read(self, when: When) -> IndicatorsRow:
        """Read the row for a month. Raises InvalidInput if there is none, and PartUnavailable if the database does not answer in time."""
        async with self._connection() as connection:
            try:
                if when.month is not None:
                    row = await indicators_table.at(connection, when.month)
                else:
                    row = await indicators_table.newest(connection, when.number)
                known = () if row is not None else await indicators_table.months(connection)
            except psycopg.errors.UndefinedTable:
                row, known = None, ()
        if row is None:
            raise _missing(when, known)
        return row

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[_Connection]:
        try:
            await self._pool.open()
            async with asyncio.timeout(WAIT + QUERY), borrowed(self._pool) as connection:
                yield connection
        except PoolTimeout:
            raise PartUnavailable(PART, _Connection.failure or f"no connection within {WAIT:g} s") from None
        except TimeoutError:
            raise PartUnavailable(PART, f"no answer within {WAIT + QUERY:g} s") from None
        except psycopg.Error as error:
            raise PartUnavailable(PART, _first_line(error)) from None


async def _bounded(connection: psycopg.AsyncConnection[Any]) -> None:
    await connection.execute(f"set statement_timeout = {int(QUERY * 1000)}")
    await connection.execute("set default_transaction_read_only = on")


_BY_LOOP: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Economy]] = WeakKeyDictionary()


def economy(url: str) -> Economy:
    """Return the running loop's connections to this database, created at the first call."""
    by_url = _BY_LOOP.setdefault(asyncio.get_running_loop(), {})
    if url not in by_url:
        by_url[url] = Economy(url)
    return by_url[url]


def _missing(when: When, known: tuple[Month, ...]) -> InvalidInput:
    if not known:
        return InvalidInput("there are no socio-economic indicators in the database", _HINT)
    names = ", ".join(map(str, known)) if len(known) <= _LISTED else f"{len(known)} from {known[0]} to {known[-1]}"
    where = "month" if when.month is None else "at"
    return InvalidInput(f"there are no indicators of {when}; the months in the table: {names}", _HINT, where)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
