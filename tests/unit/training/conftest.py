"""The public data, where it is."""

from pathlib import Path

import pytest

from streams.settings import Settings


@pytest.fixture
def mnist() -> Path:
    """The data directory; a test is skipped where MNIST is not in it."""
    folder = Settings.read().data
    if not (folder / "mnist").exists():
        pytest.skip("needs the public data: run `millrace data fetch mnist` and set MILLRACE_DATA to its directory")
    return folder
