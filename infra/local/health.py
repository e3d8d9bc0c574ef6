"""What the workers of a home say in their health files: which of their readers cannot go on."""

import json
from pathlib import Path

import psutil

from streams.reader_trouble import Trouble


def troubles(home: Path) -> list[Trouble]:
    """What readers of workers that live cannot read, the oldest first."""
    found = set[Trouble]()
    for file in (home / "workers").glob("*.json"):
        try:
            said = json.loads(file.read_text())
            if psutil.pid_exists(said["pid"]):
                found.update(Trouble.from_json(trouble) for trouble in said["troubles"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # it ended just now, or an older release wrote it
    return sorted(found, key=lambda one: (one.since, one.where))
