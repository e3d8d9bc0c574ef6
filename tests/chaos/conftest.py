"""The `works` fixture: one plant with flow and two workers of the toys, shared by the tests that leave those alive."""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvloop

from streams.settings import Settings
from tests.chaos.installation import Plant, plant
from tests.integration.support.runtime_harness import WorkerProcess


@dataclass(frozen=True)
class Works:
    """A plant, its processes, and the loop that it lives on."""

    plant: Plant
    flow: WorkerProcess
    services: list[WorkerProcess]
    runner: asyncio.Runner

    def run(self, scenario: Coroutine[Any, Any, None]) -> None:
        """Runs a test's coroutine on the plant's loop."""
        self.runner.run(scenario)


@pytest.fixture(scope="package")
def works(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Works]:
    """A running plant."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        entered = plant(settings, tmp_path_factory.mktemp("plant"))
        made = runner.run(entered.__aenter__())
        try:
            yield runner.run(_staffed(made, runner))
        finally:
            runner.run(entered.__aexit__(None, None, None))


async def _staffed(made: Plant, runner: asyncio.Runner) -> Works:
    flow, *services = await asyncio.gather(made.flow(), made.service(), made.service())
    return Works(made, flow, services, runner)
