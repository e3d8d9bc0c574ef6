"""What trainings leave behind goes after a while."""

import time
from pathlib import Path

from training.sweep import KEPT, sweep


def test_old_folders_are_removed_and_new_ones_stay(tmp_path: Path) -> None:
    """A folder goes with all that is in it when it has not changed for a week; one that is not there is no error."""
    (tmp_path / "one" / "bundle").mkdir(parents=True)
    now = time.time()
    assert sweep(tmp_path, now + KEPT - 60) == 0
    assert sweep(tmp_path, now + KEPT + 60) == 1
    assert not list(tmp_path.iterdir())
    assert sweep(tmp_path / "none") == 0
