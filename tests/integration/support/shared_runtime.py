"""The `town` fixture: one rig with one worker of everything, shared by the tests of a file that break nothing."""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from streams.settings import Settings
from tests.integration.support.runtime_harness import Rig, alone

T = TypeVar("T")

CHORES = "tests.integration.support.sample_services"


@dataclass(frozen=True)
class Town:
    """A rig, and the loop that it lives on."""

    rig: Rig
    runner: asyncio.Runner

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a test's coroutine on the rig's loop."""
        return self.runner.run(work)


@pytest.fixture(scope="module")
def town(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A rig with one worker that hosts the chores, flow and the retries."""
    with asyncio.Runner() as runner:
        made = Rig(alone(settings), Path(tmp_path_factory.mktemp("rig")))
        runner.run(made.__aenter__())
        try:
            runner.run(made.start(CHORES, "flow", "retry"))
            yield Town(made, runner)
        finally:
            runner.run(made.__aexit__())
