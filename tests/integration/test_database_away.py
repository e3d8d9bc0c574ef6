"""PostgreSQL away just after the start, and with it the registry, which stands on it: only what needs it waits."""

import asyncio
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from infra.local.parts import BACKEND
from infra.local.running import RunningStack
from infra.local.stack import Stack
from streams.runtime.warmth import Warmth
from tests.integration.gateway_world import png
from tests.integration.rig import Rig, alone

GREY = """
pipeline: grey-twice
summary: Nobody has run it before
input: {photo: image}
nodes:
  once: {service: image-greyscale, with: {image: "${photo}"}}
  twice: {service: image-greyscale, with: {image: "${once.image}"}}
output: {photo: "${twice.image}"}
"""


@pytest.fixture
def own() -> Iterator[RunningStack]:
    """A stack that this test may break."""
    home = Path(tempfile.mkdtemp(prefix="millrace-test-"))
    try:
        with Stack(home, BACKEND, preferred=False) as started:
            yield started
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def frozen(own: RunningStack, part: str) -> Iterator[None]:
    """A part that answers nobody, and is not gone."""
    first = psutil.Process(own.part(part).pid)
    family = [first, *first.children(recursive=True)]
    for one in family:
        one.suspend()
    try:
        yield
    finally:
        for one in family:
            one.resume()


def test_pictures_are_served_without_a_database(own: RunningStack, tmp_path: Path) -> None:
    """A pipeline that nobody has run yet gives its first result while PostgreSQL stands still since the workers were ready."""

    async def main() -> None:
        async with Rig(alone(own.settings), tmp_path) as rig:
            await rig.start("image-greyscale")
            await rig.publish(GREY)
            await rig.start("flow", "retry", "recorder")
            warmth = Warmth(rig.parts, rig.pipelines)  # this test reads events, as a gateway does
            await warmth.start()
            photo = await rig.parts.store.put("a-run", png(8, 8), "image/png")
            run = str(uuid.uuid4())
            asked = await rig.request("grey-twice", {"photo": photo.to_dict()}, run)
            with frozen(own, "postgres"):
                await rig.parts.producer.send(asked)
                output = await rig.output(run, 30)
                assert output["photo"]["media_type"] == "image/png"
                assert len(await rig.results("grey-twice")) == 1
            await warmth.stop()

    asyncio.run(main())
