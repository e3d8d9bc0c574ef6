"""Start the whole system once a run, with the command that a user types, and yield it as the fixture `system`."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.system import System, running
from tests.sharing import shared


@pytest.fixture(scope="session")
def system(pytestconfig: pytest.Config) -> Iterator[System]:
    """Yield a running system, which tests of other processes use at the same time.

    With MILLRACE_TEST_SYSTEM it is the one that runs in that home, and stays running.
    """
    outside = os.environ.get("MILLRACE_TEST_SYSTEM")
    if outside:
        yield running(Path(outside))
        return
    with shared(pytestconfig, "tests.acceptance.system:session_system") as home:
        yield running(home)
