"""Delete old outcomes and plots of trainings from the home."""

import shutil
import time
from pathlib import Path

KEPT = 7 * 24 * 3600.0
"""Seconds; longer than any call may be delivered again."""


def sweep(folder: Path, now: float | None = None) -> int:
    """Delete what has not changed in a folder for KEPT seconds, and return how many entries were deleted."""
    limit = (time.time() if now is None else now) - KEPT
    old = [entry for entry in folder.glob("*") if entry.stat().st_mtime < limit]
    for entry in old:
        shutil.rmtree(entry, ignore_errors=True)
    return len(old)
