"""The indicators as they are in PostgreSQL at this moment: nothing is kept between two scorings but the connections."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any, Self
from weakref import WeakKeyDictionary

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from agents.loan.when import When
from streams.datasets.indicators import Month
from streams.runtime.history import indicators
from streams.runtime.history.borrowing import borrowed
from streams.runtime.history.indicators import Row
from streams.service.errors import PartAway, Refused

PART = "postgres"
WAIT = 2.0
"""Seconds for a connection; new ones are made when they are needed."""
QUERY = 2.0
"""Seconds for an answer, which takes a millisecond."""
MOST = 4
"""Connections of one process."""
_LISTED = 40
"""Months that a refusal names one by one."""
_HINT = "`millrace indicators load` brings the table, `millrace indicators set` a month of it"

# Whoever asks is told; the pool's own warnings would say the same once for each of its tries.
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


class _Connection(psycopg.AsyncConnection[Any]):
    """A connection that leaves word of why it could not be made: the pool says only that it waited in vain."""

    failure = ""

    @classmethod
    async def connect(cls, *args: Any, **kwargs: Any) -> Self:
        try:
            made = await super().connect(*args, **kwargs)
        except psycopg.Error as error:
            _Connection.failure = _first_line(error)
            raise
        _Connection.failure = ""
        return made


class Economy:
    """Connections to one database."""

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
            check=AsyncConnectionPool.check_connection,  # after a restart of the server, those from before are dead
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

    async def read(self, when: When) -> Row:
        """The row that is asked for. Raises Refused when there is none, and PartAway when the database does not answer."""
        async with self._connection() as connection:
            try:
                if when.month is not None:
                    row = await indicators.at(connection, when.month)
                else:
                    row = await indicators.newest(connection, when.number)
                known = () if row is not None else await indicators.months(connection)
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
            raise PartAway(PART, _Connection.failure or f"no connection within {WAIT:g} s") from None
        except TimeoutError:
            raise PartAway(PART, f"no answer within {WAIT + QUERY:g} s") from None
        except psycopg.Error as error:
            raise PartAway(PART, _first_line(error)) from None


async def _bounded(connection: psycopg.AsyncConnection[Any]) -> None:
    await connection.execute(f"set statement_timeout = {int(QUERY * 1000)}")
    await connection.execute("set default_transaction_read_only = on")


_HERE: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Economy]] = WeakKeyDictionary()


def economy(url: str) -> Economy:
    """The connections of the running loop to this database; made at the first call."""
    here = _HERE.setdefault(asyncio.get_running_loop(), {})
    if url not in here:
        here[url] = Economy(url)
    return here[url]


def _missing(when: When, known: tuple[Month, ...]) -> Refused:
    if not known:
        return Refused("there are no socio-economic indicators in the database", _HINT)
    names = ", ".join(map(str, known)) if len(known) <= _LISTED else f"{len(known)} from {known[0]} to {known[-1]}"
    where = "month" if when.month is None else "at"
    return Refused(f"there are no indicators of {when}; the months that there are: {names}", _HINT, where)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
