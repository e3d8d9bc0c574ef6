"""Share one runtime harness with one worker of everything among the tests of a file, which break nothing."""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from streams.settings import Settings
from tests.integration.support.runtime_harness import RuntimeHarness, isolated

T = TypeVar("T")

SAMPLE_SERVICES = "tests.integration.support.sample_services"


@dataclass(frozen=True)
class SharedRuntime:
    """A runtime harness, and the loop that it lives on."""

    harness: RuntimeHarness
    runner: asyncio.Runner

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a test's coroutine on the harness's loop."""
        return self.runner.run(work)


@pytest.fixture(scope="module")
def shared_runtime(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedRuntime]:
    """A runtime harness with one worker that hosts the sample services, flow and the retries."""
    with asyncio.Runner() as runner:
        made = RuntimeHarness(isolated(settings), Path(tmp_path_factory.mktemp("harness")))
        runner.run(made.__aenter__())
        try:
            runner.run(made.start(SAMPLE_SERVICES, "flow", "retry"))
            yield SharedRuntime(made, runner)
        finally:
            runner.run(made.__aexit__())
