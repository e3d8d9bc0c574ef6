"""Announcements: a worker says what it serves, at start, every period, and by a tombstone when it leaves."""

import asyncio
import contextlib
import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from schemas.contracts import Contract
from schemas.encoding.codec import value_subject
from schemas.errors import RegistryUnavailable
from schemas.library import load
from streams.background import ended
from streams.runtime.connections.connections import Connections
from streams.runtime.retrying import retry_until_available
from streams.wire import topics
from streams.wire.records import Outgoing

PERIOD = 30.0
"""Seconds between two announcements of a worker."""
MISSED = 3
"""Announcements in a row that may be missing before a worker counts as gone."""


@dataclass(frozen=True)
class Announcement:
    """A worker serves a service."""

    service: str
    worker: str
    contract: Contract
    at: float
    """Epoch seconds."""
    period: float = PERIOD
    """Seconds until the next one."""
    running: int = 0
    """Tasks in progress."""
    capacity: int = 1
    """Tasks at once, at most."""
    memory: int = 0
    """Bytes."""
    model: str | None = None
    model_version: str | None = None
    problem: str | None = None
    """Why it cannot work as it should, such as a model that is missing."""
    able: bool = True
    """Whether it takes tasks at all."""
    waiting_for: tuple[str, ...] = ()
    """Unavailable parts that its work waits for."""

    @property
    def expires(self) -> float:
        """Epoch seconds from which the worker counts as gone without another announcement."""
        return self.at + MISSED * self.period

    @property
    def key(self) -> bytes:
        """The record's key: `image-blur/<worker>`."""
        return f"{self.service}/{self.worker}".encode()

    def to_record(self) -> dict[str, Any]:
        """Convert to a millrace.Announcement."""
        return {**self.__dict__, "contract": self.contract.to_json(), "waiting_for": list(self.waiting_for)}

    @classmethod
    def from_record(cls, record: dict[str, Any], contract: Contract | None = None) -> "Announcement":
        """Convert from a millrace.Announcement. `contract`: its contract, if it was parsed before. Raises BadContract."""
        contract = contract or Contract.from_json(record["contract"])
        return cls(**{**record, "contract": contract, "waiting_for": tuple(record["waiting_for"])})


class Announceable(Protocol):
    """What can be announced."""

    @property
    def key(self) -> bytes:
        """The record's key."""

    def to_record(self) -> dict[str, Any]:
        """Convert to the record's value."""


class Announcer:
    """Announces what `make` returns, at start and every `period` seconds; withdraws it at stop.

    `record` is the name of the Avro record that `topic` carries.
    """

    def __init__(
        self,
        connections: Connections,
        make: Callable[[], Iterable[Announceable]],
        period: float = PERIOD,
        topic: str = topics.SERVICES,
        record: str = "Announcement",
    ) -> None:
        self._connections = connections
        self._topic = connections.topic(topic)
        self._make = make
        self._period = period
        self._schema = load(record)
        self._announced: set[bytes] = set()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Announce once, then in the background."""
        await self.announce()
        self._task = asyncio.create_task(self._run(), name="announcements")

    async def announce(self) -> None:
        """Announce now."""
        records = []
        for item in self._make():
            value = await retry_until_available(
                self._connections.outages, "registry", functools.partial(self._encoded, item), RegistryUnavailable
            )
            records.append(Outgoing(self._topic, item.key, value))
            self._announced.add(item.key)
        await self._connections.producer.send_all(records)

    def soon(self) -> None:
        """Announce without waiting for the next period: something has changed."""
        self._news.set()

    async def stop(self) -> None:
        """Withdraw every announcement by a tombstone."""
        await ended(self._task)
        await self._connections.producer.send_all([Outgoing(self._topic, key, None) for key in sorted(self._announced)])

    async def _encoded(self, item: Announceable) -> bytes:
        return await self._connections.codec.encode(value_subject(self._topic), self._schema, item.to_record())

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._period):
                    await self._news.wait()
            self._news.clear()
            await self.announce()
