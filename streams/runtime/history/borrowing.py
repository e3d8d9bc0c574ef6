"""Borrowing connections from a PostgreSQL pool, safely for callers that may be cancelled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from schemas.registry.completed import completed

C = TypeVar("C", bound=AsyncConnection[Any])


@asynccontextmanager
async def borrowed(pool: AsyncConnectionPool[C]) -> AsyncIterator[C]:
    """Borrow a connection as with `pool.connection()`, but lose none when the caller is cancelled.

    A waiter that is cancelled inside `psycopg_pool` keeps its place in the queue there, and the next connection that is
    returned goes to it and is lost. Raises what `pool.connection()` raises.
    """

    def give_back(connection: C) -> asyncio.Task[None]:
        return asyncio.ensure_future(completed(pool.putconn(connection)))

    connection = await completed(pool.getconn(), give_back)
    try:
        async with connection:
            yield connection
    finally:
        await completed(pool.putconn(connection))
