"""The `system` fixture: everything, started once per session by the command that a user types."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.system import System, running, started


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    """A running system. With MILLRACE_TEST_SYSTEM, the one that runs in that home, which is left running."""
    outside = os.environ.get("MILLRACE_TEST_SYSTEM")
    if outside:
        yield running(Path(outside))
        return
    home = Path(tempfile.mkdtemp(prefix="millrace-system-"))
    try:
        with started(home) as made:
            yield made
    finally:
        shutil.rmtree(home, ignore_errors=True)
