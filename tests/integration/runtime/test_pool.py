"""The process pool: limits in time and memory, and children that die."""

import asyncio
import os
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from streams.messages import Fault
from streams.runtime.pool.executors import CallResult
from streams.runtime.pool.pool import Pool
from tests.integration.support import pool_functions
from tests.integration.support.waiting import until


@asynccontextmanager
async def pool(size: int = 1) -> AsyncIterator[Pool]:
    """A pool with the test bodies, stopped at the end."""
    made = Pool(size, ["tests.integration.support.pool_functions"])
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


def run(function: object, *arguments: object, seconds: float = 20, memory: int = 256) -> list[CallResult]:
    """The outcome of the call, and then of a harmless one in the same pool."""

    async def main() -> list[CallResult]:
        async with pool() as made:
            first = await made.run(function, *arguments, seconds=seconds, memory=memory)  # type: ignore[arg-type]
            return [first, await made.run(pool_functions.double, 21, seconds=20, memory=256)]

    return asyncio.run(main())


def reason(ended: CallResult) -> tuple[Fault, str]:
    """Whose fault, and why."""
    assert ended.failure is not None
    return ended.failure.fault, ended.failure.reason


def test_a_value_comes_back() -> None:
    """What the function returns is what the caller gets, large values included."""
    data = os.urandom(6_000_000)
    assert run(pool_functions.echo, data)[0] == CallResult(data)


def test_a_refusal_is_the_callers_fault() -> None:
    """An InvalidInput keeps its place, reason and hint, and is never the service's fault."""
    ended, after = run(pool_functions.refuse)
    assert reason(ended) == (Fault.CALLER, "image: not an image")
    assert ended.failure is not None
    assert ended.failure.hint == "send a PNG"
    assert after.value == 42


def test_an_exception_is_the_services_fault() -> None:
    """Any other exception says its type and message, and its stack is kept for the dead letter."""
    ended, after = run(pool_functions.fail)
    assert reason(ended) == (Fault.SERVICE, "ZeroDivisionError: no luck")
    assert "pool_functions.py" in ended.stack
    assert after.value == 42


def test_a_call_that_takes_too_long_is_killed() -> None:
    """Past its time the child is killed, and the next call gets a new one."""
    ended, after = run(pool_functions.sleep, 60, seconds=0.3)
    assert reason(ended) == (Fault.SERVICE, "took longer than 0.3 s")
    assert after.value == 42


def test_a_child_that_is_killed_costs_one_attempt() -> None:
    """Kill -9 of a child fails its call only; the pool goes on."""
    ended, after = run(pool_functions.die)
    assert reason(ended) == (Fault.SERVICE, "its process ended with signal SIGKILL")
    assert after.value == 42


def test_a_child_that_leaves_costs_one_attempt() -> None:
    """A body that ends its process fails its call only."""
    ended, after = run(pool_functions.leave)
    assert reason(ended) == (Fault.SERVICE, "its process ended with status 3")
    assert after.value == 42


def test_memory_is_limited_per_call() -> None:
    """What takes more than its MiB fails with that said; what takes less does not."""
    ended, after = run(pool_functions.hoard, 400, memory=200)
    assert reason(ended) == (Fault.SERVICE, "took more than 200 MiB")
    assert after.value == 42
    assert run(pool_functions.hoard, 100, memory=200)[0].value == 100 * 1024 * 1024


def test_an_idle_child_that_is_killed_is_replaced() -> None:
    """A child that dies between two calls is not noticed by either."""

    async def main() -> tuple[object, object]:
        async with pool() as made:
            first = await made.run(pool_functions.whoami, seconds=20, memory=256)
            child = psutil.Process(first.value)
            child.kill()
            psutil.wait_procs([child], timeout=5)
            second = await made.run(pool_functions.whoami, seconds=20, memory=256)
            return first.value, second.value or second.failure

    first, second = asyncio.run(main())
    assert isinstance(second, int)
    assert second != first


def test_cancelling_kills_the_child() -> None:
    """A cancelled call does not go on in the background."""

    async def main() -> object:
        async with pool() as made:
            (pid,) = made.pids
            call = asyncio.create_task(made.run(pool_functions.sleep, 60, seconds=100, memory=256))
            process = psutil.Process(pid)
            await until(lambda: process.status() == psutil.STATUS_SLEEPING and not made._free.qsize())
            call.cancel()
            await asyncio.wait([call])
            await until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)
            again = await made.run(pool_functions.double, 21, seconds=20, memory=256)
            return again.value

    assert asyncio.run(asyncio.wait_for(main(), 30)) == 42


def test_children_do_not_outlive_a_killed_worker(tmp_path: Path) -> None:
    """Kill -9 of the process that has a pool leaves none of its children behind."""
    script = tmp_path / "worker.py"
    script.write_text(
        textwrap.dedent(
            """
            import asyncio, sys
            from streams.runtime.pool.pool import Pool
            from tests.integration.support import pool_functions

            async def main() -> None:
                pool = Pool(2, ["tests.integration.support.pool_functions"])
                await pool.start()
                print("up", flush=True)
                await asyncio.gather(*(pool.run(pool_functions.sleep, 600, seconds=900, memory=256) for _ in range(2)))

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
        assert len(family) >= 3  # the fork server and two children at least
        worker.kill()
        _, alive = psutil.wait_procs(family, timeout=10)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def test_every_child_is_prepared_before_its_next_call() -> None:
    """What is prepared is done once in each process, also in one that takes another's place, without a break in the calls;
    what fails is not kept, and what was there before it is.
    """

    async def main() -> None:
        async with pool(3) as made:

            async def prepare(what: str) -> CallResult:
                return await made.prepare("model", pool_functions.prepares, what, seconds=20, memory=256)

            async def seen() -> dict[int, list[str]]:
                """Ask until each child has answered: on a busy machine, one may take two of the calls."""
                answers: dict[int, list[str]] = {}
                while len(answers) < 3:
                    calls = (made.run(pool_functions.prepared, 0.2, seconds=20, memory=256) for _ in range(3))
                    answers.update(ended.value for ended in await asyncio.gather(*calls))
                return answers

            assert (await prepare("a")).value == "a"
            assert list((await seen()).values()) == [["a"]] * 3
            busy = [
                asyncio.create_task(made.run(pool_functions.prepared, 0.5, seconds=20, memory=256)) for _ in range(3)
            ]
            await asyncio.sleep(0)
            assert (await prepare("b")).value == "b"
            assert {tuple((await one).value[1]) for one in busy} <= {("a",), ("a", "b")}
            assert list((await seen()).values()) == [["a", "b"]] * 3
            failed = await prepare("poison")
            assert reason(failed) == (Fault.SERVICE, "ValueError: not this")
            for pid in made.pids:
                psutil.Process(pid).kill()
            await asyncio.gather(*(made.run(pool_functions.double, 1, seconds=20, memory=256) for _ in range(3)))
            await until(lambda: len(made.pids) == 3, 20, "new children")
            await asyncio.gather(*(made.run(pool_functions.double, 1, seconds=20, memory=256) for _ in range(6)))
            assert {tuple(one) for one in (await seen()).values()} == {("b",)}

    asyncio.run(main())


def test_a_compromised_child_harms_no_other(tmp_path: Path) -> None:
    """What it says to its worker is data, and never code that the worker runs; it costs one attempt."""
    mark = tmp_path / "mark"
    ended, after = run(pool_functions.take_over, str(mark))
    assert "its process sent an invalid message" in reason(ended)[1]
    assert not mark.exists()
    assert after == CallResult(42)


def test_an_answer_that_is_no_data_is_the_services_fault() -> None:
    """It is said, and the child goes on."""
    ended, after = run(pool_functions.odd)
    assert reason(ended) == (Fault.SERVICE, "its answer cannot be handed over: a value of type Trap is no data")
    assert after == CallResult(42)


def test_a_child_has_none_of_its_worker_s_passwords(tmp_path: Path) -> None:
    """Neither in its environment nor in that of the process it is forked from; and it cannot get more rights than it has."""
    script = tmp_path / "worker.py"
    script.write_text(
        textwrap.dedent("""
        import asyncio, os
        from streams.runtime.pool.pool import Pool
        from tests.integration.support import pool_functions

        async def main():
            pool = Pool(1, ["tests.integration.support.pool_functions"])
            await pool.start()
            own, server, status = (await pool.run(pool_functions.surroundings, seconds=20, memory=256)).value
            await pool.stop()
            assert "open sesame" not in str(own) + server, "a password is in a child"
            assert (own["MILLRACE_DATA"], own["OTHER"]) == ("/data", "kept")
            assert "NoNewPrivs:\t1" in status
            assert os.environ["MILLRACE_POSTGRES"] == os.environ["PGPASSWORD"] == "open sesame", "the worker keeps them"

        if __name__ == "__main__":
            asyncio.run(main())
        """)
    )
    secrets = ("MILLRACE_S3_SECRET_KEY", "MILLRACE_POSTGRES", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD")
    environ = {
        **os.environ,
        **dict.fromkeys(secrets, "open sesame"),
        "MILLRACE_DATA": "/data",
        "OTHER": "kept",
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }
    said = subprocess.run(
        [sys.executable, str(script)], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert said.returncode == 0, said.stderr
