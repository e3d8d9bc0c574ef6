"""Straight runs that flow follows: ends are taken behind beginnings, and a change of the membership wakes whoever waits."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from streams.runtime.errors import Revoked
from streams.runtime.flow.open_runs import OpenRuns


def on_loop(work: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test on an event loop."""

    def run() -> None:
        asyncio.run(work())

    run.__doc__ = work.__doc__
    run.__name__ = work.__name__
    return run


@on_loop
async def test_an_end_waits_for_its_beginning() -> None:
    """It is read while the beginning is still being handled."""
    runs = OpenRuns()
    runs.add("a", 0)
    waiting = asyncio.create_task(runs.has_begun("a"))
    await asyncio.sleep(0)  # until it waits
    assert not waiting.done()
    runs.begin("a")
    await waiting


@on_loop
async def test_an_end_whose_beginning_was_acknowledged_waits_for_nothing() -> None:
    """Its run is written down, or was never seen here."""
    runs = OpenRuns()
    runs.add("a", 0)
    runs.drop("a")
    await runs.has_begun("a")
    await runs.has_begun("never seen")


@on_loop
async def test_a_beginning_waits_for_the_end() -> None:
    """Whether the end comes before or after that."""
    runs = OpenRuns()
    runs.add("a", 0)
    waiting = asyncio.create_task(runs.has_ended("a"))
    await asyncio.sleep(0)  # until it waits
    runs.end("a")
    assert await waiting
    assert await runs.has_ended("a")


@on_loop
async def test_a_run_that_lasts_is_let_go() -> None:
    """Its end may come at any time later."""
    runs = OpenRuns()
    runs.add("a", 0)
    assert not await runs.has_ended("a")
    runs.drop("a")
    runs.end("a")


@on_loop
async def test_a_change_of_the_membership_wakes_everybody() -> None:
    """Both records are handled again; where the partition stays, the end waits for the beginning again."""
    runs = OpenRuns()
    for run, partition in (("stays", 0), ("leaves", 1)):
        runs.add(run, partition)
        runs.begin(run)
    waiting = [asyncio.create_task(runs.has_ended(run)) for run in ("stays", "leaves")]
    await asyncio.sleep(0)  # until they wait
    runs.release([0])
    for task in waiting:
        with pytest.raises(Revoked):
            await task
    await runs.has_begun("leaves")
    again = asyncio.create_task(runs.has_begun("stays"))
    await asyncio.sleep(0)  # until it waits
    assert not again.done()
    runs.begin("stays")
    await again
