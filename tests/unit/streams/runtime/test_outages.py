"""Who waits for a part that is away."""

import asyncio

from streams.runtime.retrying import Outages, on_behalf_of


def test_it_is_known_who_waits() -> None:
    """Of two services of one worker only the one whose work asks the part waits for it; what waits for nobody counts for none."""

    async def main() -> None:
        outages, back = Outages(), asyncio.Event()
        waiting = asyncio.Semaphore(0)

        async def wait(part: str) -> None:
            with outages.waiting(part):
                waiting.release()
                await back.wait()

        async def work(service: str, part: str) -> None:
            with on_behalf_of(service):
                await asyncio.create_task(wait(part))

        tasks = [asyncio.create_task(one) for one in (work("score", "postgres"), work("blur", "s3"), wait("registry"))]
        for _ in tasks:
            await waiting.acquire()
        assert set(outages.now()) == {"postgres", "s3", "registry"}
        assert outages.of("score") == ("postgres",)
        assert outages.of("blur") == ("s3",)
        assert outages.of("crop") == ()
        back.set()
        await asyncio.gather(*tasks)
        assert outages.now() == {}
        assert outages.of("score") == ()

    asyncio.run(main())
