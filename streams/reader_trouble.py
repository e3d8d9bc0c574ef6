"""Why a reader of Kafka cannot continue, as a value: the reader reports it, and health, status and explain show it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from streams.timestamps import moment


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a reader cannot continue at the moment. None in its place means that it reads, or catches up."""

    reader: str
    """Its consumer group, or the topic that it reads without one."""
    reason: str
    since: float
    """Epoch seconds."""
    topic: str = ""
    """Empty when no topic in particular is to blame."""
    partition: int | None = None
    offset: int | None = None
    """The first offset that cannot be read, where it is known."""

    @property
    def where(self) -> str:
        """The place: `topic/partition@offset`, as far as it is known; the reader's own name when nothing is."""
        if not self.topic:
            return self.reader
        place = self.topic if self.partition is None else f"{self.topic}/{self.partition}"
        return place if self.offset is None else f"{place}@{self.offset}"

    def __str__(self) -> str:
        return f"{self.reader} cannot read {self.where} since {moment(self.since)}: {self.reason}"

    def to_json(self) -> dict[str, Any]:
        """Return the form that health files and announcements carry."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Trouble":
        """Return the value that `to_json` wrote. Raises TypeError for anything else."""
        return cls(**values)
