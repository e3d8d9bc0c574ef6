"""Bundles on a machine: whole or not there, kept as long as somebody uses them, and gone afterwards."""

import asyncio
import os
import sys
import time
from pathlib import Path

from streams.models import Champion
from streams.runtime.storage.bundles import fetch, tidy
from streams.runtime.storage.store import Store
from streams.settings import Settings
from tests.integration.support.model_registry import ModelRegistry, model_registry
from tests.integration.support.runtime_harness import ROOT

_HOLDER = """
import sys, time
from pathlib import Path
from streams.runtime.storage.bundles import _hold
held = _hold(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""


async def champions(made: ModelRegistry, *words: str) -> list[Champion]:
    """Versions that are in S3."""
    await made.make()
    found = []
    for number, word in enumerate(words, 1):
        version = await made.add(word)
        assert made.connection is not None
        row = await made.connection.execute(
            "select value from model_version_tags where key = 'millrace.bundle' and version = %s", [number]
        )
        (bundle,) = await row.fetchone() or ("",)
        found.append(Champion("oracle", f"oracle_{word}", version, number, str(bundle)))
    return found


def test_versions_in_use_stay_and_the_rest_are_removed(settings: Settings, tmp_path: Path) -> None:
    """A version that this process or another one holds is left alone, until it is released or its holder is killed; what is fetched
    again after that is whole, and what was left of a download goes when it is old.
    """
    slot = tmp_path / "oracle"

    def there() -> set[str]:
        return {one.name for one in slot.iterdir()}

    async def main() -> None:
        async with model_registry(settings, "oracle") as made:
            store: Store = made.store
            yes, no, later = await champions(made, "yes", "no", "later")
            mine, others, nobodys = [await fetch(store, one, tmp_path) for one in (yes, no, later)]
            fresh, old = slot / f".{yes.version}.fresh", slot / f".{yes.version}.old"
            for one in (fresh, old):
                one.mkdir()
            os.utime(old, (time.time() - 7200,) * 2)
            command = [sys.executable, "-c", _HOLDER, str(others.bundle.folder)]
            holder = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
            assert holder.stdout is not None
            assert await holder.stdout.readline() == b"held\n"
            others.release()
            nobodys.release()
            assert tidy(slot) == 1
            assert there() == {yes.version, no.version, fresh.name}
            holder.kill()
            await holder.wait()
            assert tidy(slot) == 1
            assert there() == {yes.version, fresh.name}
            mine.release()
            mine.release()
            assert tidy(slot) == 1
            again = await fetch(store, yes, tmp_path)
            assert (again.bundle.folder / "word.txt").read_text() == "yes\n"
            assert tidy(slot) == 0

    asyncio.run(main())


def test_many_fetch_while_others_tidy(settings: Settings, tmp_path: Path) -> None:
    """Whoever has fetched a version has it whole, however often somebody else takes away what nobody holds."""

    async def main() -> None:
        async with model_registry(settings, "oracle") as made:
            wanted = await champions(made, "yes", "no")
            over = False

            async def sweep() -> int:
                gone = 0
                while not over:
                    gone += await asyncio.to_thread(tidy, tmp_path / "oracle")
                return gone

            async def use(which: Champion) -> None:
                for _ in range(15):
                    held = await fetch(made.store, which, tmp_path)
                    assert (held.bundle.folder / "word.txt").read_text().strip() in which.model
                    await asyncio.sleep(0)
                    assert held.bundle.folder.is_dir()
                    held.release()

            sweeping = asyncio.create_task(sweep())
            await asyncio.gather(*(use(one) for one in wanted * 3))
            over = True
            assert await sweeping > 0

    asyncio.run(main())
