"""Straight runs that flow follows: their records are taken in the order of the log, and a change of the membership wakes everybody."""

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


async def waiting(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Begin some work that is to wait."""
    task = asyncio.ensure_future(work)
    await asyncio.sleep(0)  # until it waits
    assert not task.done()
    return task


@on_loop
async def test_records_of_a_run_have_their_turn_in_the_order_of_the_log() -> None:
    """In whatever order they are handled; other runs do not wait."""
    runs = OpenRuns()
    for offset in (7, 3, 5):
        runs.add("a", 0, offset, begins=offset == 3)
    runs.add("b", 0, 1, begins=False)
    await runs.turn("b", 1)
    await runs.turn("a", 3)
    second, third = await waiting(runs.turn("a", 5)), await waiting(runs.turn("a", 7))
    runs.take("a", 3, ends=False)
    await second
    assert not third.done()
    runs.take("a", 5, ends=True)
    await third


@on_loop
async def test_a_beginning_waits_for_the_end() -> None:
    """Whether the end comes before or after that."""
    runs = OpenRuns()
    runs.add("a", 0, 1, begins=True)
    runs.take("a", 1, ends=False)
    begun = await waiting(runs.ended("a"))
    runs.add("a", 0, 2, begins=False)
    runs.take("a", 2, ends=True)
    assert await begun
    assert await runs.ended("a")
    runs.drop("a", 1)
    assert await runs.ended("a")


@on_loop
async def test_a_run_that_lasts_is_let_go() -> None:
    """Its end may come at any time later."""
    runs = OpenRuns()
    runs.add("a", 0, 1, begins=True)
    runs.take("a", 1, ends=False)
    assert not await runs.ended("a")
    runs.drop("a", 1)
    runs.add("a", 0, 9, begins=False)
    await runs.turn("a", 9)
    runs.take("a", 9, ends=True)


@on_loop
async def test_a_change_of_the_membership_wakes_everybody() -> None:
    """Where the partition stays, records keep their turn: the later one waits again for the earlier one."""
    runs = OpenRuns()
    for run, partition in (("stays", 0), ("leaves", 1)):
        runs.add(run, partition, 1, begins=True)
        runs.add(run, partition, 2, begins=False)
    tasks = [await waiting(runs.turn(run, 2)) for run in ("stays", "leaves")]
    tasks += [await waiting(runs.ended(run)) for run in ("stays", "leaves")]
    runs.release([0])
    for task in tasks:
        with pytest.raises(Revoked):
            await task
    await runs.turn("leaves", 2)
    again = await waiting(runs.turn("stays", 2))
    runs.take("stays", 1, ends=False)
    await again


@on_loop
async def test_a_record_that_is_added_again_changes_nothing() -> None:
    """It is handled again after a failure."""
    runs = OpenRuns()
    for _ in range(2):
        runs.add("a", 0, 1, begins=True)
    runs.add("a", 0, 2, begins=False)
    later = await waiting(runs.turn("a", 2))
    runs.add("a", 0, 1, begins=True)
    runs.take("a", 1, ends=False)
    await later
