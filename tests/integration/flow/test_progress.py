"""What services say of their progress, from both kinds of child process to the events of a run."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streams.messages import EventKind
from streams.runtime.pool.async_child import AsyncChild
from streams.runtime.pool.executors import Executor
from streams.runtime.pool.pool import Pool
from streams.service.progress_report import Progress
from streams.settings import Settings
from tests.integration.support import pool_functions
from tests.integration.support.runtime_harness import runtime_harness
from tests.integration.support.waiting import until

MODULE = "tests.integration.support.pool_functions"
TALKS = {
    name: f"pipeline: many-{name}\ninput: {{numbers: [int]}}\nnodes:\n  say:\n    each: {{n: '${{numbers}}'}}\n"
    f"    nodes:\n      one: {{service: {name}, with: {{times: '${{n}}'}}}}\n    output: '${{one.times}}'\n"
    "output: {times: '${say}'}\n"
    for name in ("talk", "murmur")
}


@pytest.fixture(params=["pool", "waiting"])
def kind(request: pytest.FixtureRequest) -> str:
    """Where the body runs."""
    return str(request.param)


def heard(kind: str, call: Callable[[Executor, list[Progress]], Any]) -> list[Progress]:
    """The progress that a call in a child of this kind reports."""

    async def main() -> list[Progress]:
        executor: Pool | AsyncChild = Pool(1, [MODULE]) if kind == "pool" else AsyncChild([MODULE], 256)
        await executor.start()
        reports: list[Progress] = []
        try:
            await call(executor, reports)
        finally:
            await executor.stop()
        return reports

    return asyncio.run(main())


def test_a_chatty_call_is_heard_now_and_then_and_its_last_word_always(kind: str) -> None:
    """Of 20,000 things few come through, in order and each with its number, and the last one is among them."""
    body = pool_functions.chats if kind == "pool" else pool_functions.chats_waiting

    async def call(executor: Executor, reports: list[Progress]) -> None:
        ended = await executor.run(body, 20_000, seconds=60, memory=256, on_progress=reports.append)
        assert ended.value == 20_000

    reports = heard(kind, call)
    assert reports[0].number == 1
    assert reports[-1] == Progress("20000", 1.0, {"n": 20_000}, 20_000)
    assert [report.number for report in reports] == sorted({report.number for report in reports})
    assert len(reports) < 200


def test_the_last_progress_before_a_long_silence_is_seen_during_it(kind: str, tmp_path: Path) -> None:
    """A second word right after the first does not wait for a third, nor for the end of the call."""
    mark = tmp_path / "heard"
    body = pool_functions.pauses if kind == "pool" else pool_functions.pauses_waiting

    async def call(executor: Executor, reports: list[Progress]) -> None:
        work = asyncio.ensure_future(executor.run(body, str(mark), seconds=60, memory=256, on_progress=reports.append))
        await until(lambda: [report.text for report in reports] == ["first", "second"], 30, "the second word")
        assert not work.done()
        mark.touch()
        assert (await work).failure is None

    assert len(heard(kind, call)) == 2


def test_failures_come_after_what_was_said(kind: str) -> None:
    """The last report before an exception arrives, and a figure that is not JSON is the service's fault."""
    fails, wrong = (
        (pool_functions.says_and_fails, pool_functions.says_nonsense)
        if kind == "pool"
        else (pool_functions.says_and_fails_waiting, pool_functions.says_nonsense_waiting)
    )

    async def call(executor: Executor, reports: list[Progress]) -> None:
        ended = await executor.run(fails, seconds=30, memory=256, on_progress=reports.append)
        assert ended.failure is not None
        assert ended.failure.reason.startswith("ZeroDivisionError")
        ended = await executor.run(wrong, seconds=30, memory=256, on_progress=reports.append)
        assert ended.failure is not None
        assert "object is not" in ended.failure.reason

    assert [report.text for report in heard(kind, call)] == ["one", "two"]


def test_threads_of_a_waiting_service_may_speak() -> None:
    """Reports from `asyncio.to_thread` arrive like those of the call itself, before its end."""

    async def call(executor: Executor, reports: list[Progress]) -> None:
        await executor.run(pool_functions.speaks_in_a_thread, seconds=30, memory=256, on_progress=reports.append)

    assert [report.text for report in heard("waiting", call)] == ["from a thread"]


@pytest.mark.parametrize("name", ["talk", "murmur"])
def test_progress_events_come_between_the_start_and_the_end_of_a_node(
    settings: Settings, tmp_path: Path, name: str
) -> None:
    """Each of several node executions at once has progress of its own: after its start, before its end, the last word among it."""

    async def main() -> None:
        async with runtime_harness(settings, tmp_path) as runtime:
            await runtime.start("tests.integration.support.progress_services", "flow")
            await runtime.publish(TALKS[name])
            run = await runtime.submit(f"many-{name}", {"numbers": [3000, 1, 0, 3000]})
            assert await runtime.output(run) == {"times": [3000, 1, 0, 3000]}
            events = [sent.event for sent in runtime.client_events(run)]
            for at, times in enumerate([3000, 1, 0, 3000]):
                mine = [event for event in events if event.at == (at,) and event.vertex]
                kinds = [event.kind for event in mine]
                reported = [event.data for event in mine if event.kind is EventKind.PROGRESS]
                assert kinds == [EventKind.STARTED, *[EventKind.PROGRESS] * len(reported), EventKind.FINISHED]
                assert bool(reported) == bool(times)
                assert len(reported) < 100
                if times:
                    figures = {"number": times, "done": 1.0, "figures": {"step": times}}
                    assert reported[-1] == {"service": name, "text": f"step {times}", **figures}

    asyncio.run(main())
