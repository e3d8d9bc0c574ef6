"""Where a worker says how it is."""

import asyncio
import shutil
from pathlib import Path

from streams.settings import Settings
from tests.integration.support.runtime_harness import RuntimeHarness, isolated
from tests.integration.support.waiting import until


def test_a_worker_that_cannot_say_how_it_is_works_on(settings: Settings, tmp_path: Path) -> None:
    """A file stands where its folder was, as good as a disk that is full; when it is gone, the worker says it again."""

    async def main() -> None:
        async with RuntimeHarness(isolated(settings), tmp_path, follow=False) as harness:
            worker = await harness.start("retry")
            folder = worker.home / "workers"
            await until(lambda: list(folder.glob("*.json")), 30, "its health")
            shutil.rmtree(folder)
            folder.write_text("")
            await until(lambda: "cannot be written" in worker.log.read_text(), 30, "its complaint")
            folder.unlink()
            await until(lambda: list(folder.glob("*.json")), 30, "its health again")
            assert worker.ready

    asyncio.run(main())
