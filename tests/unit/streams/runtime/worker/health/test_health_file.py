"""The file in which a worker writes its health."""

import json
import logging
from pathlib import Path

import pytest

from streams.runtime.worker.health.health_file import HealthFile


def test_the_newest_health_is_in_the_file(tmp_path: Path) -> None:
    """Its folder is created, and an older health replaced."""
    path = tmp_path / "workers" / "a.json"
    file = HealthFile(path)
    file.write({"pid": 1})
    file.write({"pid": 2})
    assert json.loads(path.read_text()) == {"pid": 2}
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_is_gone_is_removed_without_an_error(tmp_path: Path) -> None:
    """Removing twice does no harm."""
    file = HealthFile(tmp_path / "a.json")
    file.write({})
    file.remove()
    file.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_failure_to_write_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It raises nothing; after a success, the next failure is logged again."""
    folder = tmp_path / "workers"
    file = HealthFile(folder / "a.json")
    for _ in range(2):
        folder.write_text("a file where the folder should be")
        with caplog.at_level(logging.WARNING):
            file.write({})
            file.write({})
        folder.unlink()
        file.write({})
        file.remove()
        folder.rmdir()
    assert ["cannot be written" in record.getMessage() for record in caplog.records] == [True, True]
