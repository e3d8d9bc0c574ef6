"""The health files of a home's workers: which of their Kafka readers cannot continue."""

import json
from pathlib import Path

import psutil

from streams.reader_trouble import Trouble


def troubles(home: Path) -> list[Trouble]:
    """List the troubles of readers in running workers, oldest first."""
    troubles = set[Trouble]()
    for file in (home / "workers").glob("*.json"):
        try:
            health = json.loads(file.read_text())
            if psutil.pid_exists(health["pid"]):
                troubles.update(Trouble.from_json(trouble) for trouble in health["troubles"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # the worker just ended, or an older release wrote the file
    return sorted(troubles, key=lambda reported: (reported.since, reported.where))
