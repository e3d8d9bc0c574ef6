"""What every unit test has: no stack of this machine to find."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def no_stack(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which nothing runs, so that settings never come from a stack that the user or another test started."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("MILLRACE_HOME", str(home))
    return home
