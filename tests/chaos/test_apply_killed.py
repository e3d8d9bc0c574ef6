"""Kill -9 of `millrace apply`: what it leaves, a second apply completes."""

import asyncio
import contextlib
import dataclasses
import os
import subprocess
import sys
import uuid
from pathlib import Path

from streams.runtime.catalogue.apply import connected
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.connections.connections import Connections
from streams.settings import Settings
from tests.integration.support.waiting import until

ROOT = Path(__file__).parents[2]
COUNT = 12
TEXT = """
pipeline: NAME
input: {n: int}
nodes: {more: {value: "${n + ADD}"}}
output: {n: "${more}"}
"""


def write(folder: Path, add: int) -> None:
    """The pipelines of a folder, in their version `add`."""
    for number in range(COUNT):
        text = TEXT.replace("NAME", f"killed-{number}").replace("ADD", str(add))
        (folder / f"killed-{number}.yaml").write_text(text)


async def active(connections: Connections) -> dict[str, str]:
    """The text of each pipeline of the folder that is active now."""
    catalogue = Pipelines(connections)
    await catalogue.start()
    await catalogue.stop()
    return {name: one.source for name, one in catalogue.active().items() if name.startswith("killed-")}


def test_an_apply_that_is_killed_is_completed_by_the_next(settings: Settings, tmp_path: Path) -> None:
    """Wherever it is killed, each pipeline is at its old or its new version, and applying again makes all of them new."""
    prefix = f"kill-{uuid.uuid4().hex[:8]}-"
    mine = dataclasses.replace(settings, topic_prefix=prefix, partitions=1)
    environ = {**os.environ, **mine.environ()}
    command = [sys.executable, "-m", "streams.cli", "apply", str(tmp_path), "--yes"]

    def apply() -> None:
        ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, timeout=120)
        assert ended.returncode == 0, ended.stderr.decode()

    async def main() -> None:
        async with connected(mine) as connections:
            try:
                write(tmp_path, 0)
                await asyncio.to_thread(apply)
                for version, taken in ((1, 1), (2, COUNT // 2), (3, COUNT)):
                    before = await active(connections)
                    write(tmp_path, version)
                    child = await asyncio.create_subprocess_exec(
                        *command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                    )
                    place = f"catalog/{prefix}pipelines/"

                    async def numbers(place: str = place, version: int = version, taken: int = taken) -> bool:
                        keys = await connections.store.list(place)
                        return sum(key.endswith(f"{version + 1:08d}") and "killed-" in key for key in keys) >= taken

                    await until(numbers, 60, "the first changes have their numbers")
                    with contextlib.suppress(ProcessLookupError):  # it was faster
                        child.kill()
                    await child.wait()
                    after = await active(connections)
                    assert after.keys() == before.keys()
                    assert all(after[name] in (before[name], (tmp_path / f"{name}.yaml").read_text()) for name in after)
                    await asyncio.to_thread(apply)
                    now = await active(connections)
                    assert now == {name: (tmp_path / f"{name}.yaml").read_text() for name in now}
                    assert len(now) == COUNT
            finally:
                await connections.admin.delete(await connections.admin.names(prefix))

    asyncio.run(main())
