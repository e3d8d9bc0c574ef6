"""What trainings leave in the home: outcomes and pictures that nobody asks for any more."""

import shutil
import time
from pathlib import Path

KEPT = 7 * 24 * 3600.0
"""Seconds: longer than any call may be delivered again."""


def sweep(folder: Path, now: float | None = None) -> int:
    """Removes what lies in a folder and has not changed for KEPT seconds; how many there were."""
    limit = (time.time() if now is None else now) - KEPT
    old = [entry for entry in folder.glob("*") if entry.stat().st_mtime < limit]
    for entry in old:
        shutil.rmtree(entry, ignore_errors=True)
    return len(old)
