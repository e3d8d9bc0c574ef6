"""Many at once, or one alone."""

import asyncio

from streams.runtime.delivery.shared_exclusive_lock import SharedExclusiveLock


def test_the_exclusive_holder_is_alone() -> None:
    """Who wants to be alone waits for those inside; who comes meanwhile waits for it; then all go on."""

    async def main() -> list[str]:
        lock, said = SharedExclusiveLock(), list[str]()
        gate, in_ = asyncio.Event(), asyncio.Event()

        async def first() -> None:
            async with lock.shared():
                in_.set()
                await gate.wait()
                said.append("first")

        async def alone(name: str) -> None:
            async with lock.exclusive():
                said.append(f"{name} begins")
                await asyncio.sleep(0)
                said.append(f"{name} ends")

        async def late() -> None:
            async with lock.shared():
                said.append("late")

        tasks = [asyncio.create_task(first())]
        await in_.wait()
        tasks += [asyncio.create_task(alone("a")), asyncio.create_task(alone("b"))]
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(late()))
        await asyncio.sleep(0)
        assert said == []
        gate.set()
        await asyncio.gather(*tasks)
        return said

    assert asyncio.run(main()) == ["first", "a begins", "a ends", "b begins", "b ends", "late"]


def test_a_cancelled_wait_blocks_no_other() -> None:
    """When who wanted to be alone is cancelled, the others go on."""

    async def main() -> None:
        lock = SharedExclusiveLock()
        async with lock.shared():
            waiting = asyncio.create_task(_alone(lock))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            async with asyncio.timeout(5), lock.shared():
                pass

    asyncio.run(main())


async def _alone(lock: SharedExclusiveLock) -> None:
    async with lock.exclusive():
        raise AssertionError("somebody is inside")
