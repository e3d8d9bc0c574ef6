"""Indicators read live from a real PostgreSQL: what is there, what is not, and a database that does not answer."""

import asyncio
import contextlib
import socket
from collections.abc import Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from agents.loan import indicators_table
from agents.loan.economy import MOST, Economy
from agents.loan.indicators import Indicators, Month, shipped
from agents.loan.indicators_table import IndicatorsRow
from agents.loan.ready import usable
from agents.loan.when import When
from infra.local.stack import Stack
from streams.service.errors import InvalidInput, PartUnavailable
from streams.settings import Settings
from tests.integration.support.indicators_schema import GOOD, LOW, ROWS, indicators_schema, within
from tests.integration.support.tcp_proxy import TcpProxy

MAY = When(month=Month(2008, 5))


def run(work: Coroutine[Any, Any, None]) -> None:
    """Runs a test's coroutine."""
    asyncio.run(work)


async def ask(url: str, when: When) -> IndicatorsRow:
    """One reading over connections of its own."""
    async with Economy(url) as here:
        return await here.read(when)


# What is there -----------------------------------------------------------------------------------------------------


def test_a_month_is_read_and_a_change_is_seen(settings: Settings) -> None:
    """Each reading gives the row as it is then, with the moment of its last change."""

    async def main() -> None:
        async with indicators_schema(settings.postgres) as made, Economy(made.url) as here:
            first = await here.read(MAY)
            assert (first.month, first.indicators) == (Month(2008, 5), GOOD)
            await made.write({Month(2008, 5): LOW})
            after = await here.read(MAY)
            assert after.indicators == LOW
            assert after.updated_at > first.updated_at
            await made.write({Month(2008, 5): LOW})
            assert (await here.read(MAY)).updated_at == after.updated_at, "nothing changed"

    run(main())


def test_the_newest_is_meant_where_no_year_is_said(settings: Settings) -> None:
    """Without a month it is the latest row; with the name of one alone, the latest of that name."""

    async def main() -> None:
        async with indicators_schema(settings.postgres) as made, Economy(made.url) as here:
            assert (await here.read(When())).month == Month(2010, 4)
            assert (await here.read(When(number=5))).month == Month(2009, 5)
            await made.write({Month(2010, 12): GOOD})
            assert (await here.read(When())).month == Month(2010, 12)

    run(main())


def test_a_month_that_is_not_there_is_refused_with_those_that_are(settings: Settings) -> None:
    """The refusal names the months there are and the command that adds one; so does that of an empty table, or of none."""

    async def main() -> None:
        async with indicators_schema(settings.postgres) as made:
            with pytest.raises(InvalidInput, match="no indicators of 2026-11") as caught:
                await ask(made.url, When(month=Month(2026, 11)))
            assert "2008-05, 2009-05, 2010-04" in caught.value.reason
            assert "millrace indicators" in caught.value.hint
            with pytest.raises(InvalidInput, match="no indicators of any jan"):
                await ask(made.url, When(number=1))
            await made.connection.execute("delete from socio_economic")
            with pytest.raises(InvalidInput, match="no socio-economic indicators"):
                await ask(made.url, When())
        async with indicators_schema(settings.postgres, table=False) as bare:
            with pytest.raises(InvalidInput, match="no socio-economic indicators"):
                await ask(bare.url, MAY)

    run(main())


def test_many_readings_share_few_connections(settings: Settings) -> None:
    """Two hundred readings at once are all answered, by no more connections than the pool may have."""

    async def main() -> None:
        async with indicators_schema(settings.postgres) as made, Economy(made.url) as here:
            found = await asyncio.gather(*(here.read(MAY) for _ in range(200)))
            assert {one.indicators for one in found} == {GOOD}
            count = await made.connection.execute(
                "select count(*) from pg_stat_activity where application_name = 'loan-appetence' and query ~ 'socio_economic' "
                "and pid in (select pid from pg_stat_activity where datname = current_database())"
            )
            (many,) = await count.fetchone() or (0,)
            assert many > 0
            assert len(here._pool._pool) <= MOST

    run(main())


def test_the_table_is_made_and_filled_as_often_as_one_likes(settings: Settings) -> None:
    """Making it again changes nothing; writing the same rows counts no change; other months are kept."""

    async def main() -> None:
        async with indicators_schema(settings.postgres) as made:
            await indicators_table.ensure(made.connection)
            assert await indicators_table.write(made.connection, ROWS) == 0
            assert (
                await indicators_table.write(made.connection, {**ROWS, Month(2010, 5): GOOD, Month(2010, 4): GOOD}) == 2
            )
            assert await indicators_table.months(made.connection) == (
                Month(2008, 5), Month(2009, 5), Month(2010, 4), Month(2010, 5),
            )  # fmt: skip
            rows = await indicators_table.every(made.connection)
            assert [one.indicators for one in rows] == [GOOD, LOW, GOOD, GOOD]

    run(main())


def test_no_half_of_a_table_is_written(settings: Settings) -> None:
    """When one month of several is refused by the database, none of them is there."""

    async def main() -> None:
        async with indicators_schema(settings.postgres) as made:
            with pytest.raises(psycopg.errors.CheckViolation):
                await indicators_table.write(made.connection, {Month(2011, 1): GOOD, Month(1, 1): GOOD})
            assert Month(2011, 1) not in await indicators_table.months(made.connection)

    run(main())


def test_a_worker_that_starts_sees_to_it_that_there_is_something_to_read(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the table, and with an empty one, it puts in the shipped months; a table with rows is left alone. Where it may
    not, the catalogue says what is missing and how to bring it.
    """

    async def main() -> None:
        async with (
            indicators_schema(settings.postgres) as made,
            indicators_schema(settings.postgres, table=False) as bare,
        ):
            monkeypatch.setenv("MILLRACE_POSTGRES", made.url)
            assert usable() == ""
            assert len(await indicators_table.months(made.connection)) == len(ROWS)
            await made.connection.execute("delete from socio_economic")
            monkeypatch.setenv("MILLRACE_POSTGRES", f"{made.url}%20-cdefault_transaction_read_only%3Don")
            assert "millrace indicators load" in usable()
            for one in (made, bare):
                monkeypatch.setenv("MILLRACE_POSTGRES", one.url)
                assert usable() == ""
                assert {row.month: row.indicators for row in await indicators_table.every(one.connection)} == shipped()
                assert (await ask(one.url, When())).month == Month(2010, 11)
            monkeypatch.setenv("MILLRACE_POSTGRES", "postgresql://millrace@127.0.0.1:1/millrace")
            assert usable() == "", "a database that is away is waited for, and no fault of the service"

    run(main())


# A database that does not answer -----------------------------------------------------------------------------------


def test_an_unavailable_database_is_named_and_found_again(settings: Settings) -> None:
    """While it is cut off, a reading says in seconds that it is away and why; afterwards the same pool reads on."""

    async def main() -> None:
        proxy = TcpProxy(settings.postgres)
        await proxy.open()
        async with (
            indicators_schema(settings.postgres) as made,
            Economy(proxy.url + made.url.removeprefix(settings.postgres)) as here,
        ):
            assert (await here.read(MAY)).indicators == GOOD
            await proxy.close()
            with pytest.raises(PartUnavailable, match="refused") as caught:
                await here.read(MAY)
            assert caught.value.part == "postgres"
            await proxy.open()
            await _found_again(here)
            await proxy.close()

    run(main())


@pytest.mark.slow
def test_a_server_that_is_killed_and_started_again(tmp_path: Path) -> None:
    """After kill -9 and a restart of PostgreSQL, connections from before are no hindrance."""

    async def main() -> None:
        with Stack(tmp_path, ["postgres"], preferred=False) as own:
            async with await psycopg.AsyncConnection.connect(own.settings.postgres, autocommit=True) as connection:
                await indicators_table.ensure(connection)
                await indicators_table.write(connection, ROWS)
            async with Economy(own.settings.postgres) as here:
                assert (await here.read(MAY)).indicators == GOOD
                await asyncio.to_thread(own.restart, "postgres", kill=True)
                await _found_again(here)

    run(main())


def test_a_wrong_password_is_reported_without_it(settings: Settings) -> None:
    """The operator reads that the password is wrong, and for whom; the password itself stands nowhere."""

    async def main() -> None:
        parts = urlsplit(settings.postgres)
        user, _, place = parts.netloc.rpartition("@")
        wrong = urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:open-sesame@{place}"))
        with pytest.raises(PartUnavailable, match="password authentication failed") as caught:
            await ask(wrong, MAY)
        assert "open-sesame" not in str(caught.value)

    run(main())


def test_a_server_that_is_silent_is_given_up(settings: Settings) -> None:
    """Who takes the connection and says nothing does not hold a scoring up for longer than its limits."""

    async def main() -> None:
        parts = urlsplit(settings.postgres)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            place = f"millrace:x@127.0.0.1:{silent.getsockname()[1]}"
            with pytest.raises(PartUnavailable):
                async with asyncio.timeout(12):
                    await ask(urlunsplit(parts._replace(netloc=place)), MAY)

    run(main())


def test_a_table_that_is_locked_is_given_up(settings: Settings) -> None:
    """A reading that the server does not get to is ended by its limit, said to be away, and works when the lock is gone."""

    async def main() -> None:
        async with indicators_schema(settings.postgres) as made, Economy(made.url) as here:
            assert (await here.read(MAY)).indicators == GOOD
            async with made.connection.transaction():
                await made.connection.execute("lock table socio_economic in access exclusive mode")
                with pytest.raises(PartUnavailable, match="statement timeout"):
                    await here.read(MAY)
            assert (await here.read(MAY)).indicators == GOOD

    run(main())


def test_a_reader_writes_nothing(settings: Settings) -> None:
    """The connections of the service cannot change the database, whatever is sent over them."""

    async def main() -> None:
        async with indicators_schema(settings.postgres) as made, Economy(made.url) as here:
            with pytest.raises(PartUnavailable, match="read-only"):
                async with here._connection() as connection:
                    await connection.execute("delete from socio_economic")
            assert (await here.read(MAY)).indicators == GOOD

    run(main())


async def _found_again(here: Economy) -> None:
    """Reads until the database is found again, at most for a while."""
    found: Indicators | None = None
    async with asyncio.timeout(30):
        while found is None:
            with contextlib.suppress(PartUnavailable):
                found = (await here.read(MAY)).indicators
    assert found == GOOD


def test_an_address_leads_to_its_own_schema() -> None:
    """The helper's addresses name a schema, so that tests do not meet in one table."""
    assert within("postgresql://a@b/c", "d") == "postgresql://a@b/c?options=-csearch_path%3Dd"
