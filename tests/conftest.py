"""What every tier of tests shares: the real stack, started once per session when a test first asks for it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from infra.local.running import RunningStack
from streams.settings import Settings
from tests.stacks import backend
from tests.timeouts import pytest_timeout_set_timer as pytest_timeout_set_timer

hypothesis_settings.register_profile(
    "untimed", deadline=None
)  # how long an example takes says nothing on a busy machine
hypothesis_settings.load_profile("untimed")


@pytest.fixture(scope="session")
def stack() -> Iterator[RunningStack]:
    """Kafka, schema registry, S3 and PostgreSQL, all real; `stack.restart("kafka", kill=True)` breaks one.

    With MILLRACE_TEST_HOME, the stack that runs in that home is used and left running.
    """
    outside = os.environ.get("MILLRACE_TEST_HOME")
    if outside:
        yield RunningStack(Path(outside))
        return
    with backend() as started:
        yield started


@pytest.fixture(scope="session")
def settings(stack: RunningStack) -> Settings:
    """Settings that lead to the session's stack."""
    return stack.settings
