"""What every tier of tests shares: the real stack, started once per run when a test first asks for it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from infra.local.running import RunningStack
from streams.settings import Settings
from tests.parallel import pytest_configure_node as pytest_configure_node
from tests.parallel import pytest_runtest_protocol as pytest_runtest_protocol
from tests.parallel import pytest_sessionfinish as pytest_sessionfinish
from tests.parallel import pytest_xdist_make_scheduler as pytest_xdist_make_scheduler
from tests.sharing import shared
from tests.stacks import backend
from tests.timeouts import pytest_timeout_set_timer as pytest_timeout_set_timer

hypothesis_settings.register_profile(
    "untimed", deadline=None
)  # how long an example takes says nothing on a busy machine
hypothesis_settings.load_profile("untimed")


@pytest.fixture(scope="session")
def stack(pytestconfig: pytest.Config) -> Iterator[RunningStack]:
    """Kafka, schema registry, S3 and PostgreSQL, all real. Tests of other processes use them at the same time.

    With MILLRACE_TEST_HOME, the stack that runs in that home is used and left running.
    """
    outside = os.environ.get("MILLRACE_TEST_HOME")
    if outside:
        yield RunningStack(Path(outside))
        return
    with shared(pytestconfig, "tests.stacks:session_stack") as home:
        yield RunningStack(home)


@pytest.fixture(scope="session")
def settings(stack: RunningStack) -> Settings:
    """Settings that lead to the session's stack."""
    return stack.settings


@pytest.fixture(scope="session")
def breakable() -> Iterator[RunningStack]:
    """Yield a stack whose parts tests may kill and freeze; `breakable.restart("kafka", kill=True)`.

    One process has it: the modules that use it are one group of `tests/parallel.py`. Each leaves all parts running.
    """
    with backend() as started:
        yield started
