"""PostgreSQL away just after the start, and with it the registry, which stands on it: only what needs it waits."""

import asyncio
import uuid
from pathlib import Path

from infra.local.running import RunningStack
from streams.runtime.catalogue.schema_warmup import SchemaWarmup
from tests.integration.support.gateway_world import png
from tests.integration.support.runtime_harness import RuntimeHarness, isolated
from tests.stacks import frozen

GREY = """
pipeline: grey-twice
summary: Nobody has run it before
input: {photo: image}
nodes:
  once: {service: image-greyscale, with: {image: "${photo}"}}
  twice: {service: image-greyscale, with: {image: "${once.image}"}}
output: {photo: "${twice.image}"}
"""


def test_pictures_are_served_without_a_database(breakable: RunningStack, tmp_path: Path) -> None:
    """A pipeline without runs gives its first result while PostgreSQL stands still since the workers were ready."""

    async def main() -> None:
        async with RuntimeHarness(isolated(breakable.settings), tmp_path) as harness:
            await harness.start("image-greyscale")
            await harness.publish(GREY)
            await harness.start("flow", "retry", "recorder")
            warmth = SchemaWarmup(harness.connections, harness.pipelines)  # this test reads events, as a gateway does
            await warmth.start()
            photo = await harness.connections.store.put("a-run", png(8, 8), "image/png")
            run = str(uuid.uuid4())
            asked = await harness.request("grey-twice", {"photo": photo.to_dict()}, run)
            with frozen(breakable, "postgres"):
                await harness.connections.producer.send(asked)
                output = await harness.output(run, 30)
                assert output["photo"]["media_type"] == "image/png"
                assert len(await harness.results("grey-twice")) == 1
            await warmth.stop()

    asyncio.run(main())
