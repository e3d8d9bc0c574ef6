"""Callers that leave at any moment: pools of connections outlive them."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

import httpx
import psycopg

from agents.loan.economy import Economy
from gateway.data.history import History
from schemas.registry.client import SchemaRegistry
from streams.runtime.history.borrowing import borrowed
from streams.service.errors import InvalidInput
from streams.settings import Settings
from tests.integration.support.gateway_world import GatewayWorld

_CALLERS, _CALLS = 64, 40


async def _impatient(ask: Callable[[], Awaitable[object]]) -> None:
    """Many callers at once, each of whom leaves its calls at some moment from at once to late."""
    moments = random.Random(1)

    async def caller() -> None:
        for _ in range(_CALLS):
            with contextlib.suppress(TimeoutError, InvalidInput):
                async with asyncio.timeout(moments.choice((0.0, 0.001, 0.005, 0.02, 0.1))):
                    await ask()

    await asyncio.gather(*(caller() for _ in range(_CALLERS)))


def test_the_history_keeps_its_connections(settings: Settings) -> None:
    """Afterwards all of them can still be had at the same time."""

    async def scenario() -> None:
        async with History(settings.postgres, timeout=10) as store:
            await store.ping()
            await _impatient(store.ping)
            async with contextlib.AsyncExitStack() as all_:
                for _ in range(4):
                    connection = await all_.enter_async_context(store.connection())
                    await connection.execute("select 1")

    asyncio.run(scenario())


def test_a_cancelled_query_does_not_keep_its_connection(settings: Settings) -> None:
    """Who leaves in the middle of a long query gives its connection back, and the server works at it no longer."""

    async def scenario() -> None:
        async with History(settings.postgres, size=1, timeout=10) as store:

            async def slow() -> None:
                async with borrowed(store._pool) as connection:
                    await connection.execute("select pg_sleep(100)")

            asking = asyncio.create_task(slow())
            async with await psycopg.AsyncConnection.connect(settings.postgres, autocommit=True) as other:
                query = (
                    "select count(*) from pg_stat_activity where query = 'select pg_sleep(100)' and state = 'active'"
                )

                async def working() -> bool:
                    row = await (await other.execute(query)).fetchone()
                    return bool(row and row[0])

                async with asyncio.timeout(30):
                    while not await working():  # noqa: ASYNC110  # the server says it to who asks
                        await asyncio.sleep(0.01)
                asking.cancel()
                await asyncio.wait([asking])
                await store.ping()
                assert not await working()

    asyncio.run(scenario())


def test_the_indicators_keep_their_connections(settings: Settings) -> None:
    """The pool of a service is no different."""

    async def scenario() -> None:
        async with Economy(settings.postgres) as economy:

            async def ask() -> None:
                async with economy._connection() as connection:
                    await connection.execute("select 1")

            await ask()
            await _impatient(ask)
            async with contextlib.AsyncExitStack() as all_:
                for _ in range(economy._pool.max_size):
                    await all_.enter_async_context(economy._connection())

    asyncio.run(scenario())


def test_the_registry_keeps_its_connections(settings: Settings) -> None:
    """As many questions as its pool has connections are still answered."""

    async def scenario() -> None:
        async with SchemaRegistry(settings.registry) as registry:
            await _impatient(registry.subjects)
            async with asyncio.timeout(60):
                await asyncio.gather(*(registry.subjects() for _ in range(100)))

    asyncio.run(scenario())


def test_a_gateway_survives_impatient_readiness_checks(gateways: GatewayWorld) -> None:
    """Hundreds of askers, of whom many leave before the answer, cost it nothing; afterwards it serves as before."""
    world = gateways

    async def scenario() -> None:
        limits = httpx.Limits(max_connections=300)
        async with httpx.AsyncClient(base_url=world.first.url, timeout=60, limits=limits) as client:
            asked = 0

            async def ask() -> None:
                nonlocal asked
                answer = await client.get("/health/ready")
                assert answer.status_code in (200, 503)
                asked += 1

            await _impatient(ask)
            await asyncio.gather(*(ask() for _ in range(300)))
            assert asked >= 300

    asyncio.run(scenario())
    world.first.ready()
    assert world.first.http.get("/runs").status_code == 200
    assert world.first.http.get(f"/runs/{world.submit().id}").status_code == 200
