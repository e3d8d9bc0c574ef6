"""Timers of runs."""

import asyncio

import pytest

from streams.messages import Ending, StopSignal
from streams.runtime.flow.timers import Timers


def stop(run: str, join: str | None = None) -> StopSignal:
    """A deadline."""
    return StopSignal(run, Ending.DEADLINE, join)


def fired(now: float, *, drop: str | None = None, times: tuple[tuple[str, float], ...]) -> list[str]:
    """The runs whose timers have fired at `now`, in order."""

    async def main() -> list[str]:
        seen: list[str] = []

        async def due(due_stop: StopSignal) -> None:
            seen.append(due_stop.run)

        timers = Timers(due, clock=lambda: now)
        for run, at in times:
            timers.set(run, at, stop(run))
        if drop is not None:
            timers.drop(drop)
        task = asyncio.create_task(timers.run())
        for _ in range(20):
            await asyncio.sleep(0)
        task.cancel()
        return seen

    return asyncio.run(main())


def test_timers_fire_in_the_order_of_their_times() -> None:
    """What is due fires, soonest first; what is not due does not."""
    assert fired(10, times=(("c", 9), ("a", 1), ("z", 11), ("b", 5))) == ["a", "b", "c"]


def test_a_dropped_run_has_no_timers() -> None:
    """The timers of a run that is over never fire."""
    assert fired(10, drop="a", times=(("a", 1), ("b", 2))) == ["b"]


def test_the_same_timer_is_set_once() -> None:
    """A repeated message of a run does not double its timers."""
    assert fired(10, times=(("a", 1), ("a", 1))) == ["a"]


def test_an_earlier_timer_wakes_the_waiting() -> None:
    """A timer that is set later but due sooner does not wait for the former."""

    async def main() -> list[str]:
        seen: list[str] = []
        done = asyncio.Event()
        now = 0.0

        async def due(due_stop: StopSignal) -> None:
            seen.append(due_stop.run)
            done.set()

        timers = Timers(due, clock=lambda: now)
        timers.set("late", 1000, stop("late"))
        task = asyncio.create_task(timers.run())
        await asyncio.sleep(0)
        timers.set("soon", 0.0, stop("soon"))
        await asyncio.wait_for(done.wait(), 5)
        task.cancel()
        return seen

    assert asyncio.run(main()) == ["soon"]


def test_memory_follows_what_is_live() -> None:
    """Timers of ended runs do not pile up until they would be due."""

    async def main() -> int:
        async def due(_: StopSignal) -> None:
            pass

        timers = Timers(due)
        for number in range(20_000):
            timers.set(str(number), 10.0**12, stop(str(number)))
            timers.drop(str(number))
        assert len(timers) == 0
        return len(timers._heap)

    assert asyncio.run(main()) < 2500


@pytest.mark.parametrize("ticks", range(6))
def test_a_cancellation_counts_at_any_moment(ticks: int) -> None:
    """Also when it comes just as a sooner timer wakes the waiting: who stops a worker is not to wait for the next timer."""

    async def main() -> bool:
        async def due(due_stop: StopSignal) -> None:
            pass

        timers = Timers(due, clock=lambda: 0.0)
        timers.set("a", 1000, stop("a"))
        task = asyncio.create_task(timers.run())
        for _ in range(5):
            await asyncio.sleep(0)
        timers.set("b", 500, stop("b"))
        for _ in range(ticks):
            await asyncio.sleep(0)
        task.cancel()
        for _ in range(20):
            await asyncio.sleep(0)
        return task.cancelled()

    assert asyncio.run(main())
