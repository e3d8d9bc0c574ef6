"""The waiting child: many calls at once in one process, limited and cancellable, and what happens when it ends."""

import asyncio
import os
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

from streams.messages import Failure, Fault
from streams.runtime.pool.async_child import AsyncChild
from streams.runtime.pool.executors import CallResult
from tests.integration.support import pool_functions
from tests.integration.support.waiting import until

MODULES = ["tests.integration.support.pool_functions"]


@asynccontextmanager
async def waiting(memory: int = 256, size: int = 64) -> AsyncIterator[AsyncChild]:
    """A child with the test bodies, stopped at the end."""
    made = AsyncChild(MODULES, memory, size)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


def call(
    made: AsyncChild, function: Callable[..., Any], *arguments: Any, seconds: float = 30
) -> "asyncio.Task[CallResult]":
    """A call under way."""
    return asyncio.create_task(made.run(function, *arguments, seconds=seconds, memory=256))


def run(function: Callable[..., Any], *arguments: Any, seconds: float = 30) -> CallResult:
    """The outcome of the call; a harmless one in the same child goes well after it."""

    async def main() -> CallResult:
        async with waiting() as made:
            first = await call(made, function, *arguments, seconds=seconds)
            assert (await call(made, pool_functions.echoes, b"x")).value == b"x"
            return first

    return asyncio.run(main())


def test_a_value_comes_back() -> None:
    """What the function returns is what the caller gets, large values included; what it prints goes elsewhere."""
    data = os.urandom(6_000_000)
    assert run(pool_functions.echoes, data) == CallResult(data)
    assert run(pool_functions.prints, "hello").value == "hello"


def test_failures_say_whose_fault_they_are() -> None:
    """A refusal is the caller's; what is put off says for how long; anything else is told with its stack."""
    assert run(pool_functions.refuses).failure == Failure("url: not an address", Fault.CALLER, hint="write one")
    later = run(pool_functions.puts_off)
    assert (later.failure, later.after, later.stack) == (Failure("not now", Fault.SERVICE, hint="wait"), 7.0, "")
    failed = run(pool_functions.fails_waiting)
    assert failed.failure == Failure("ZeroDivisionError: no luck", Fault.SERVICE)
    assert "pool_functions.py" in failed.stack


def test_an_unavailable_part_is_named() -> None:
    """Whoever gets the ending can wait for the part: its name comes along, with the reason for people."""
    ended = run(pool_functions.lacks_waiting)
    assert (ended.unavailable, ended.stack) == ("postgres", "")
    assert ended.failure == Failure("postgres is unavailable: connection refused", Fault.SERVICE)


def test_calls_wait_side_by_side(tmp_path: Path) -> None:
    """Forty calls that end only when all forty are there end in one process."""

    async def main() -> list[CallResult]:
        async with waiting() as made:
            return await asyncio.gather(
                *(call(made, pool_functions.rendezvous, str(tmp_path), str(number), 40) for number in range(40))
            )

    assert [one.value for one in asyncio.run(main())] == [str(number) for number in range(40)]


def test_no_more_calls_than_there_is_room_for(tmp_path: Path) -> None:
    """What comes on top waits outside, and its time begins when it has a place."""

    async def main() -> None:
        async with waiting(size=2) as made:
            held = [call(made, pool_functions.cleans_up, str(tmp_path / str(number))) for number in range(2)]
            third = call(made, pool_functions.waits, 0, seconds=5)
            await until(lambda: made._room.locked())
            assert not third.done()
            held[0].cancel()
            assert isinstance((await third).value, int)
            held[1].cancel()
            await asyncio.wait(held)

    asyncio.run(main())


def test_a_call_that_takes_too_long_is_cancelled(tmp_path: Path) -> None:
    """Past its time it is cancelled, its process goes on, and others in it do not notice."""

    async def main() -> None:
        async with waiting() as made:
            pid, mark = made.pid, tmp_path / "mark"
            other = call(made, pool_functions.rendezvous, str(tmp_path), "a", 2)
            late = await call(made, pool_functions.cleans_up, str(mark), seconds=2)
            assert late.failure is not None
            assert (late.failure.reason, late.failure.fault) == ("took longer than 2 s", Fault.SERVICE)
            await until(mark.exists)
            assert (await other).value == "a"  # the mark was what it waited for
            assert made.pid == pid

    asyncio.run(main())


def test_a_call_that_is_cancelled_before_it_begins_costs_nobody_else_anything() -> None:
    """Its end is told like any other: the child is not taken to hang, and what else is in it goes on."""

    async def main() -> None:
        async with waiting() as made:
            other = call(made, pool_functions.waits, 3.0)  # longer than a call that was cancelled may take to end
            for late in await asyncio.gather(*(call(made, pool_functions.waits, 60.0, seconds=0) for _ in range(20))):
                assert late.failure is not None
            assert (await other).value == made.pid

    asyncio.run(main())


def test_cancelling_ends_the_call(tmp_path: Path) -> None:
    """A cancelled call does not go on in the background."""

    async def main() -> None:
        async with waiting() as made:
            task = call(made, pool_functions.cleans_up, str(tmp_path / "mark"))
            assert (await call(made, pool_functions.waits, 0)).value == made.pid  # behind the first: that one has begun
            task.cancel()
            await until((tmp_path / "mark").exists)

    asyncio.run(main())


def test_a_call_that_does_not_let_go_costs_its_process() -> None:
    """One that blocks past its time is ended with its process; each call in it fails, and the next one works."""

    async def main() -> None:
        async with waiting() as made:
            pid = made.pid
            assert (
                await call(made, pool_functions.waits, 0)
            ).value == pid  # it serves: what blocks then begins at once
            other = call(made, pool_functions.waits, 600, seconds=900)
            blocking = await call(made, pool_functions.blocks, 600, seconds=0.3)
            assert blocking.failure is not None
            lost = (await other).failure
            assert lost is not None
            assert lost.fault is Fault.SERVICE
            assert "its process ended with status -9" in lost.reason
            assert (await call(made, pool_functions.waits, 0)).value == made.pid != pid

    asyncio.run(main())


def test_a_child_that_dies_costs_one_attempt() -> None:
    """Kill -9 fails the calls in it; another child takes its place."""
    failure = run(pool_functions.dies).failure
    assert failure is not None
    assert failure.reason == "its process ended with status -9"


def test_memory_is_limited() -> None:
    """What takes more than the child may have fails with that said."""

    async def main() -> tuple[CallResult, CallResult]:
        async with waiting(memory=200) as made:
            return await call(made, pool_functions.hoards, 400), await call(made, pool_functions.hoards, 50)

    large, small = asyncio.run(main())
    assert large.failure is not None
    assert large.failure.reason == "took more than 200 MiB"
    assert small.value == 50 * 1024 * 1024


def test_the_child_does_not_outlive_a_killed_worker(tmp_path: Path) -> None:
    """Kill -9 of the worker leaves no child behind, also one that blocks."""
    script = tmp_path / "worker.py"
    script.write_text(
        textwrap.dedent(
            """
            import asyncio
            from streams.runtime.pool.async_child import AsyncChild
            from tests.integration.support import pool_functions

            async def main() -> None:
                made = AsyncChild(["tests.integration.support.pool_functions"], 256)
                await made.start()
                print("up", flush=True)
                await made.run(pool_functions.blocks, 600, seconds=900, memory=256)

            if __name__ == "__main__":
                asyncio.run(main())
            """
        )
    )
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, env=environ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"up\n"
        family = psutil.Process(worker.pid).children(recursive=True)
        assert len(family) == 1
        worker.kill()
        _, alive = psutil.wait_procs(family, timeout=10)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
