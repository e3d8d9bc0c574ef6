"""A Kafka record as plain values, in and out: what the runtime's modules hand to each other instead of a client's own types."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple

Headers = tuple[tuple[str, bytes | None], ...]
"""Names and values in their order. A producer may send a name twice, and a value of null, which counts as missing."""


class Place(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Record:
    """A record that was read; `timestamp` in epoch seconds."""

    place: Place
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp: float = 0.0
    unreadable: str = ""
    """Why the client could not read all of it; key, value and headers are there as far as it could."""

    @property
    def spot(self) -> tuple[Place, int]:
        """The record's place in its topic: partition and offset."""
        return self.place, self.offset

    @property
    def where(self) -> str:
        """The record's place in messages for people: `task.image-blur.v1/3@1042`."""
        return f"{self.place.topic}/{self.place.partition}@{self.offset}"

    def header(self, name: str) -> bytes | None:
        """Return the last header of this name that has a value, or None."""
        return next((value for key, value in reversed(self.headers) if key == name and value is not None), None)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to be sent. Without `partition` the key decides (murmur2, as every Kafka client does)."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = field(default=())
    partition: int | None = None


Handler = Callable[[Record], Awaitable[None]]
"""Does all the work of one record, publishing included, before it returns; a record is acknowledged after it."""
