"""What tests of services share: the public data, or a visible skip without it."""

import os
from pathlib import Path

import pytest


@pytest.fixture
def data() -> Path:
    """The public data directory; without MILLRACE_DATA the test is skipped."""
    folder = os.environ.get("MILLRACE_DATA")
    if not folder:
        pytest.skip("needs the public data: run `millrace data fetch` and set MILLRACE_DATA to its directory")
    return Path(folder)


@pytest.fixture
def no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data directory: no model has its weights."""
    monkeypatch.setenv("MILLRACE_DATA", str(tmp_path))
    monkeypatch.delenv("MILLRACE_OBJECT_DETECTOR", raising=False)
    return tmp_path
