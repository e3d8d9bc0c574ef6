"""Create a schema with a table of indicators in the PostgreSQL of the session."""

import contextlib
import dataclasses
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

import psycopg

from agents.loan import indicators_table
from agents.loan.indicators import Indicators, Month

GOOD = Indicators(1.1, 93.994, -36.4, 4.857, 5191.0)
"""Of May 2008."""
LOW = Indicators(-1.8, 93.876, -40.0, 0.668, 5008.7)
"""Of a month in which money was cheap."""
ROWS = {Month(2008, 5): GOOD, Month(2009, 5): LOW, Month(2010, 4): LOW}


@dataclasses.dataclass
class IndicatorsSchema:
    """The schema: `url` leads there, `connection` too."""

    url: str
    connection: psycopg.AsyncConnection[Any]

    async def write(self, rows: Mapping[Month, Indicators]) -> None:
        """Puts these months into the table."""
        await indicators_table.write(self.connection, rows)


def within(url: str, schema: str) -> str:
    """A way to this schema by this address."""
    return f"{url}?options={quote(f'-csearch_path={schema}')}"


@contextlib.asynccontextmanager
async def indicators_schema(url: str, *, table: bool = True) -> AsyncIterator[IndicatorsSchema]:
    """A schema for as long as this lasts, with ROWS in its table unless `table` is false."""
    schema = f"loan_{uuid.uuid4().hex[:10]}"
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(f"create schema {schema}".encode())
        try:
            await connection.execute(f"set search_path to {schema}".encode())
            made = IndicatorsSchema(within(url, schema), connection)
            if table:
                await indicators_table.ensure(connection)
                await made.write(ROWS)
            yield made
        finally:
            await connection.execute(f"drop schema {schema} cascade".encode())
