"""How many partitions the topics of a local stack get."""

import os
from collections.abc import Mapping
from pathlib import Path

from streams.wire.topics import EVENTS

FEWEST = 2
"""Of a new home: one for each core of a small machine. Each partition more costs the broker at every fetch and commit."""


def of_home(home: Path, asked_for: int, environ: Mapping[str, str] = os.environ) -> int:
    """What `MILLRACE_PARTITIONS` asks for, else what the topics of this home have, else FEWEST.

    The topics that flow reads keep their count for good: what belongs together is found by its key.
    """
    if "MILLRACE_PARTITIONS" in environ:
        return asked_for
    return _kept(home / "kafka" / "data") or FEWEST


def _kept(data: Path) -> int:
    """Partitions of the events' topic in the broker's data; of topics with different prefixes, the most. 0 when there is none."""
    counts: dict[str, int] = {}
    for folder in data.glob(f"*{EVENTS}-*"):
        topic, _, number = folder.name.rpartition("-")
        if topic.endswith(EVENTS) and number.isdigit():
            counts[topic] = counts.get(topic, 0) + 1
    return max(counts.values(), default=0)
