"""Batches: calls that go to a process together, each with an end of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from streams.messages import EventKind, Fault
from streams.runtime.pool.batches import Batches
from streams.runtime.pool.executors import CallResult
from streams.runtime.pool.pool import Pool
from streams.service.child_calls import call
from streams.service.progress_report import Progress
from streams.settings import Settings
from tests.integration.support import pool_functions
from tests.integration.support.runtime_harness import runtime_harness
from tests.integration.support.waiting import until

BATCH_SERVICES = "tests.integration.support.batch_services"


@asynccontextmanager
async def batches(size: int = 1, most: int = 8, *, together: bool = False) -> AsyncIterator[Batches]:
    """Batches over a pool, stopped at the end."""
    pool = Pool(size, ["tests.integration.support.pool_functions", BATCH_SERVICES])
    await pool.start()
    try:
        yield Batches(pool, most, together)
    finally:
        await pool.stop()


def begin(
    made: Batches, function: Callable[..., Any], *arguments: Any, seconds: float = 20, memory: int = 256
) -> "asyncio.Task[CallResult]":
    """A call under way."""
    return asyncio.create_task(made.run(function, *arguments, seconds=seconds, memory=memory))


async def numbers(made: Batches, name: str, *given: int) -> list[CallResult]:
    """How the calls of a service with these numbers end, all asked at once."""
    return list(await asyncio.gather(*(begin(made, call, BATCH_SERVICES, name, {"n": n}, {}, "", "") for n in given)))


def said(ended: CallResult) -> Any:
    """The value of an end, or the reason and whose fault it is."""
    if ended.failure is not None:
        return ended.failure.reason.rpartition(": ")[2], ended.failure.fault
    return ended.value.output["n"]


def test_a_long_queue_is_taken_in_batches_and_a_short_one_is_not() -> None:
    """Twenty that wait go in few turns; one after another goes alone; each gets its own value."""

    async def main() -> None:
        async with batches() as made:
            found = await asyncio.gather(*(begin(made, pool_functions.double, n) for n in range(20)))
            assert [one.value for one in found] == [2 * n for n in range(20)]
            assert made.carried.calls == 20
            assert made.carried.batches <= 5
            turns = made.carried.batches
            for n in range(3):
                assert (await begin(made, pool_functions.double, n)).value == 2 * n
            assert made.carried.batches == turns + 3

    asyncio.run(main())


def test_every_child_gets_its_share() -> None:
    """A queue of four is not one child's while another is idle."""

    async def main() -> None:
        async with batches(2) as made:
            found = await asyncio.gather(*(begin(made, pool_functions.prepared, 0.3) for _ in range(4)))
            assert len({one.value[0] for one in found}) == 2

    asyncio.run(main())


@pytest.mark.parametrize("name", ["in-turn", "together"])
def test_one_bad_call_fails_alone(name: str) -> None:
    """A refusal, an exception, an input that is none and a call that ends the process: each is told to whom it belongs, and all
    others have their values.
    """
    five = ("five fails", Fault.SERVICE)
    seven = ("seven is not served", Fault.CALLER)
    killed = ("its process ended with signal SIGKILL", Fault.SERVICE)

    async def main() -> None:
        async with batches(together=name == "together") as made:
            found = await numbers(made, name, 1, 2, 5, 3, 7, 4, 13, 6, 8)
            assert [said(one) for one in found] == [2, 4, five, 6, seven, 8, killed, 12, 16]
            wrong = begin(made, call, BATCH_SERVICES, name, {"n": "none"}, {}, "", "")
            found = await numbers(made, name, 1, 2, 13)
            assert [said(one) for one in found] == [2, 4, killed]
            ended = await wrong
            assert ended.failure is not None
            assert ended.failure.fault is Fault.CALLER

    asyncio.run(main())


def test_a_function_over_many_that_fails_as_a_whole() -> None:
    """When it raises, or gives fewer answers than it was asked for, its batch is tried one by one."""

    async def main() -> None:
        async with batches(together=True) as made:
            first = begin(made, call, BATCH_SERVICES, "together", {"n": 1}, {}, "", "")
            assert [said(one) for one in await numbers(made, "together", 2, 99, 3)] == [4, 198, 6]
            assert [said(one) for one in await numbers(made, "together", 2, 66, 3)] == [4, 132, 6]
            assert said(await first) == 2
            found = await numbers(made, "together", *range(20, 36))
            assert max(one.value.output["of"] for one in found) == 8

    asyncio.run(main())


def test_limits_are_each_calls_own() -> None:
    """One that takes too long or too much memory fails by that, and those after it in its batch do not notice."""

    async def main() -> None:
        async with batches() as made:
            calls = [
                begin(made, pool_functions.double, 1),
                begin(made, pool_functions.double, 2),
                begin(made, pool_functions.sleep, 60, seconds=0.3),
                begin(made, pool_functions.double, 3),
                begin(made, pool_functions.hoard, 400, memory=128),
                begin(made, pool_functions.double, 4),
                begin(made, pool_functions.leave),
                begin(made, pool_functions.double, 5),
            ]
            ends = await asyncio.gather(*calls)
            assert [one.value for one in ends if one.failure is None] == [2, 4, 6, 8, 10]
            reasons = [one.failure.reason for one in ends if one.failure is not None]
            assert reasons == ["took longer than 0.3 s", "took more than 128 MiB", "its process ended with status 3"]

    asyncio.run(main())


def test_progress_is_each_calls_own() -> None:
    """What a call of a batch says is heard as its own."""

    async def main() -> None:
        async with batches() as made:
            received: dict[int, list[Progress]] = {n: [] for n in range(6)}
            await asyncio.gather(
                *(
                    made.run(pool_functions.chats, n, seconds=20, memory=256, on_progress=received[n].append)
                    for n in received
                )
            )
            assert [[one.number for one in received[n]][-1:] for n in received] == [[], [1], [2], [3], [4], [5]]

    asyncio.run(main())


def test_giving_up(tmp_path: Path) -> None:
    """A call that is given up before its turn never begins, one of a batch leaves the others be, and a process that works for
    nobody any more is killed.
    """

    async def main() -> None:
        async with batches() as made:
            busy = begin(made, pool_functions.sleep, 60)
            await until(lambda: made.carried.calls == 1, 20, "the first turn")
            waiting = begin(made, pool_functions.touch, str(tmp_path / "begun"))
            await asyncio.sleep(0)
            waiting.cancel()
            (pid,) = made.pool.pids
            busy.cancel()
            assert (await begin(made, pool_functions.whoami)).value != pid
            first = begin(made, pool_functions.sleep, 0.3)
            await until(lambda: made.carried.calls == 3, 20, "its turn")
            others = [begin(made, pool_functions.sleep, 0.2) for _ in range(3)]
            await until(lambda: made.carried.calls == 6, 20, "their turn")
            others[1].cancel()
            ends = await asyncio.gather(first, others[0], others[2])
            assert [one.value for one in ends] == [0.3, 0.2, 0.2]

    asyncio.run(main())
    assert not (tmp_path / "begun").exists()


@pytest.mark.parametrize("name", ["in-turn", "together"])
def test_a_loop_over_a_batched_service(settings: Settings, tmp_path: Path, name: str) -> None:
    """Over a real broker: sixty items of a loop, among them one that kills, one that is refused and one that fails; those
    three are skipped with their reasons, after as many attempts as they have, and all others have their values in order.
    """
    text = f"""
pipeline: crowded
input: {{numbers: [int]}}
nodes:
  every:
    each: {{n: "${{numbers}}"}}
    nodes:
      one: {{service: {name}, with: {{n: "${{n}}"}}, retry: {{attempts: 2, backoff: 0.2s}}, on_error: {{use: {{n: -1, of: 0}}}}}}
    output: "${{one.n}}"
output: {{numbers: "${{every}}"}}
"""

    async def main() -> None:
        async with runtime_harness(settings, tmp_path) as made:
            await made.start(BATCH_SERVICES, "flow", "retry")
            await made.publish(text)
            run = await made.submit("crowded", {"numbers": list(range(60))})
            found = (await made.output(run, 90))["numbers"]
            assert found == [-1 if n in (5, 7, 13) else 2 * n for n in range(60)]
            retried = {received.event.at for received in made.events_of(run, EventKind.RETRYING)}
            assert retried == {(5,), (13,)}

    asyncio.run(main())
