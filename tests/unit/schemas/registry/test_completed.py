"""Work that nobody waits for any more is brought to its end."""

import asyncio
import gc
import random
from typing import Any

import pytest

from schemas.registry.completed import completed


def test_a_cancelled_caller_leaves_at_once_and_the_result_is_handed_over() -> None:
    """What was taken for somebody who has left is given back."""

    async def scenario() -> None:
        ready, late = asyncio.Event(), asyncio.Queue[int]()

        async def work() -> int:
            await ready.wait()
            return 7

        caller = asyncio.create_task(completed(work(), late.put_nowait))
        await asyncio.sleep(0)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        gc.collect()  # nothing but the module holds the work now
        ready.set()
        assert await late.get() == 7

    asyncio.run(scenario())


def test_an_error_that_nobody_waits_for_is_no_noise() -> None:
    """Nor is it handed over."""

    async def scenario() -> None:
        noise: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: noise.append(context))
        ready = asyncio.Event()

        async def work() -> int:
            await ready.wait()
            raise OSError

        caller = asyncio.create_task(completed(work(), noise.append))
        await asyncio.sleep(0)
        caller.cancel()
        await asyncio.wait([caller])
        ready.set()
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)
        del caller
        gc.collect()
        await asyncio.sleep(0)
        assert noise == []

    asyncio.run(scenario())


def test_nothing_is_lost_whenever_it_is_cancelled() -> None:
    """Of many takers that are cancelled at any turn of the loop, each got the thing or it was handed over, never neither."""

    async def scenario() -> None:
        order = random.Random(7)
        got, back = 0, 0

        def count(_: int) -> None:
            nonlocal back
            back += 1

        async def take(turns: int) -> int:
            for _ in range(turns):
                await asyncio.sleep(0)
            return 1

        for _ in range(500):
            caller = asyncio.create_task(completed(take(order.randrange(5)), count))
            for _ in range(order.randrange(1, 9)):
                await asyncio.sleep(0)
            caller.cancel()
            await asyncio.wait([caller])
            got += not caller.cancelled()
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)
        # The last one is handed over by a callback of its end.
        await asyncio.sleep(0)
        assert (got + back, got > 0, back > 0) == (500, True, True)

    asyncio.run(scenario())
