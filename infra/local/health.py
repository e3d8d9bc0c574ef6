"""What the workers of a home say in their health files: which of their readers cannot go on."""

import json
from pathlib import Path

import psutil

from streams.reader_trouble import Trouble


def troubles(home: Path) -> list[Trouble]:
    """What readers of workers that live cannot read, the oldest first."""
    troubles = set[Trouble]()
    for file in (home / "workers").glob("*.json"):
        try:
            health = json.loads(file.read_text())
            if psutil.pid_exists(health["pid"]):
                troubles.update(Trouble.from_json(trouble) for trouble in health["troubles"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # it ended just now, or an older release wrote it
    return sorted(troubles, key=lambda reported: (reported.since, reported.where))
