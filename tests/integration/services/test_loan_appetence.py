"""Scoring on real brokers and a real PostgreSQL: the row decides, and its absence is waited out or told."""

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from agents.loan.features import Customer, features
from agents.loan.indicators import Month
from agents.loan.model import LOAN
from streams.messages import EventKind, Fault
from streams.settings import Settings
from tests.integration.support.indicators_schema import GOOD, LOW, IndicatorsSchema, indicators_schema
from tests.integration.support.runtime_harness import RuntimeHarness, isolated
from tests.integration.support.tcp_proxy import TcpProxy
from tests.integration.support.waiting import until

SCORE = """
pipeline: score
input: {age: int, balance: float, at: string}
nodes:
  one:
    service: loan-appetence
    with: {age: "${age}", balance: "${balance}", contact: cellular, campaign: 1, at: "${at}"}
    retry: {attempts: 1}
output: {score: "${one.appetence}", used: "${one.indicators}", version: "${one.model_version}"}
"""
SOMEONE = {"age": 38, "balance": 1250.0, "at": "2009-05-14"}
MAY = Month(2009, 5)


@contextlib.asynccontextmanager
async def loan_harness(settings: Settings, folder: Path) -> AsyncIterator["LoanHarness"]:
    """A runtime harness with the service, whose way to a database of its own can be cut."""
    proxy = TcpProxy(settings.postgres)
    await proxy.open()
    try:
        async with indicators_schema(settings.postgres) as made:
            own = isolated(settings)
            through = dataclasses.replace(own, postgres=proxy.url + made.url.removeprefix(settings.postgres))
            async with RuntimeHarness(own, folder, instead=through) as harness:
                await harness.start("loan-appetence", "flow", "retry")
                await harness.publish(SCORE)
                yield LoanHarness(harness, made, proxy)
    finally:
        await proxy.close()


@dataclasses.dataclass(frozen=True)
class LoanHarness:
    """A runtime harness with the service, its table of indicators, and the proxy on its way there."""

    harness: RuntimeHarness
    indicators_schema: IndicatorsSchema
    proxy: TcpProxy


@pytest.fixture(scope="module")
def shared_loan_harness(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[asyncio.Runner, LoanHarness]]:
    """Yield one loan harness for all tests of this file, and the loop that it lives on."""
    with asyncio.Runner() as runner:
        entered = loan_harness(settings, tmp_path_factory.mktemp("loan"))
        made = runner.run(entered.__aenter__())
        try:
            yield runner, made
        finally:
            runner.run(entered.__aexit__(None, None, None))


def test_a_changed_row_changes_the_next_score(shared_loan_harness: tuple[asyncio.Runner, LoanHarness]) -> None:
    """Each score is the model's of the row as it is then, which the answer shows; what changed in between counts at once."""
    runner, loan = shared_loan_harness

    async def main() -> None:
        harness = loan.harness
        made = loan.indicators_schema
        cheap = await harness.output(await harness.submit("score", SOMEONE))
        await made.write({MAY: GOOD})
        dear = await harness.output(await harness.submit("score", SOMEONE))
        someone = Customer(age=38, balance=1250.0, contact="cellular", campaign=1, day=14)
        wanted = LOAN.loaded().score([features(someone, MAY, LOW), features(someone, MAY, GOOD)])
        assert [cheap["score"], dear["score"]] == [round(one, 6) for one in wanted]
        assert cheap["score"] > 2 * dear["score"]
        for output, row in ((cheap, LOW), (dear, GOOD)):
            used = output["used"]
            assert (used["year"], used["month"]) == (2009, 5)
            assert {name: used[name] for name in row.values()} == row.values()
        assert cheap["used"]["updated_at"] < dear["used"]["updated_at"]
        assert cheap["version"] == LOAN.loaded().bundle.version

    runner.run(main())


def test_a_month_that_is_not_there_fails_the_run_with_those_that_are(
    shared_loan_harness: tuple[asyncio.Runner, LoanHarness],
) -> None:
    """It is the caller's fault, told at once, with the months to choose from."""
    runner, loan = shared_loan_harness

    async def main() -> None:
        harness = loan.harness
        run = await harness.submit("score", {**SOMEONE, "at": "2026-11"})
        last = await harness.ended(run)
        assert last.event.kind is EventKind.RUN_FAILED
        said = json.dumps(last.event.data)
        assert "2008-05, 2009-05, 2010-04" in said
        assert harness.events_of(run, EventKind.FAILED)[0].event.data["fault"] == Fault.CALLER.value
        assert not harness.events_of(run, EventKind.RETRYING)

    runner.run(main())


def test_an_unavailable_database_costs_no_attempt(shared_loan_harness: tuple[asyncio.Runner, LoanHarness]) -> None:
    """With one attempt only, runs that meet an outage wait, the worker says for what, and all finish when it is over."""
    runner, loan = shared_loan_harness

    async def main() -> None:
        harness = loan.harness
        proxy = loan.proxy
        await harness.output(await harness.submit("score", SOMEONE))
        await proxy.close()
        runs = [await harness.submit("score", SOMEONE) for _ in range(5)]

        def waits() -> bool:
            files = harness.settings.home.glob("workers/*.json")
            return any("postgres" in json.loads(file.read_text())["waiting_for"] for file in files)

        await until(waits, 60, "a worker that waits for PostgreSQL")
        assert not any(harness.end(run) for run in runs)
        await proxy.open()
        scores = {(await harness.output(run))["score"] for run in runs}
        assert len(scores) == 1
        assert not any(harness.events_of(run, EventKind.RETRYING) for run in runs)
        assert "connection" in harness.workers[0].log.read_text(), "the log says what was wrong"

    runner.run(main())
