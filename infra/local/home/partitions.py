"""The number of partitions of a local stack's topics."""

import os
from collections.abc import Mapping
from pathlib import Path

from streams.wire.topics import EVENTS

FEWEST = 2
"""Partitions in a new home: one for each core of a small machine. More cost the broker time at every fetch and commit."""


def of_home(home: Path, asked_for: int, environ: Mapping[str, str] = os.environ) -> int:
    """Return what `MILLRACE_PARTITIONS` asks for, else what the topics of this home have, else FEWEST.

    The topics that flow reads keep their number of partitions forever, because a key must stay on its partition.
    """
    if "MILLRACE_PARTITIONS" in environ:
        return asked_for
    return _kept(home / "kafka" / "data") or FEWEST


def _kept(data: Path) -> int:
    """Count the partitions of the event topic in the broker's data; the most if several prefixes have one, 0 if none has."""
    counts: dict[str, int] = {}
    for folder in data.glob(f"*{EVENTS}-*"):
        topic, _, number = folder.name.rpartition("-")
        if topic.endswith(EVENTS) and number.isdigit():
            counts[topic] = counts.get(topic, 0) + 1
    return max(counts.values(), default=0)
