"""Share one installation with flow and two workers of the cheap services among the tests that leave those alive."""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvloop

from streams.settings import Settings
from tests.chaos.installation import Installation, installation
from tests.integration.support.runtime_harness import WorkerProcess


@dataclass(frozen=True)
class SharedInstallation:
    """An installation, its processes, and the loop that it lives on."""

    installation: Installation
    flow: WorkerProcess
    services: list[WorkerProcess]
    runner: asyncio.Runner

    def run(self, scenario: Coroutine[Any, Any, None]) -> None:
        """Runs a test's coroutine on the installation's loop."""
        self.runner.run(scenario)


@pytest.fixture(scope="package")
def shared_installation(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedInstallation]:
    """A running installation with its workers."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        entered = installation(settings, tmp_path_factory.mktemp("installation"))
        made = runner.run(entered.__aenter__())
        try:
            yield runner.run(_staffed(made, runner))
        finally:
            runner.run(entered.__aexit__(None, None, None))


async def _staffed(made: Installation, runner: asyncio.Runner) -> SharedInstallation:
    flow, *services = await asyncio.gather(made.flow(), made.service(), made.service())
    return SharedInstallation(made, flow, services, runner)
