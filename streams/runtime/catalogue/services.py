"""The live catalogue of services: who announces itself, seen by everyone, and the announcing."""

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from schemas.contracts import Contract
from schemas.encoding.codec import value_subject
from schemas.errors import RegistryAway, SchemasError
from schemas.library import load
from streams.background import ended
from streams.runtime.connections.connections import Connections
from streams.runtime.kafka.topic_follower import TopicFollower
from streams.runtime.retrying import retry_until_available
from streams.wire import topics
from streams.wire.records import Outgoing, Record

log = logging.getLogger(__name__)

PERIOD = 30.0
"""Seconds between two announcements of a worker."""
MISSED = 3
"""Announcements that may fail to come before the worker counts as gone."""


@dataclass(frozen=True)
class Announcement:
    """A worker says that it serves a service."""

    service: str
    worker: str
    contract: Contract
    at: float
    """Epoch seconds."""
    period: float = PERIOD
    running: int = 0
    capacity: int = 1
    memory: int = 0
    """Bytes."""
    model: str | None = None
    model_version: str | None = None
    problem: str | None = None
    """Why it cannot work as it should, such as a model that is missing."""
    able: bool = True
    """Whether it takes tasks at all."""
    waiting_for: tuple[str, ...] = ()
    """Parts of the installation that are unavailable and that its work waits for."""

    @property
    def expires(self) -> float:
        """Epoch seconds from which the worker counts as gone unless it says so again."""
        return self.at + MISSED * self.period

    @property
    def key(self) -> bytes:
        """The record's key: `image-blur/<worker>`."""
        return f"{self.service}/{self.worker}".encode()

    def to_record(self) -> dict[str, Any]:
        """millrace.Announcement."""
        return {**self.__dict__, "contract": self.contract.to_json(), "waiting_for": list(self.waiting_for)}

    @classmethod
    def from_record(cls, record: dict[str, Any], contract: Contract | None = None) -> "Announcement":
        """The announcement of a millrace.Announcement. `contract`: its contract, where that is known. Raises BadContract."""
        contract = contract or Contract.from_json(record["contract"])
        return cls(**{**record, "contract": contract, "waiting_for": tuple(record["waiting_for"])})


class Services:
    """Every announcement that stands, kept up to date; `changed` is called with a service's name when it comes or goes."""

    def __init__(self, parts: Connections, changed: Callable[[str], None] | None = None) -> None:
        self._codec = parts.codec
        self._outages = parts.outages
        self._schema = load("Announcement")
        self._changed = changed
        self._workers: dict[bytes, Announcement] = {}
        self._contracts: dict[str, tuple[Any, Contract]] = {}
        """What each service's contract was said to be last, and what was read from that."""
        self._tail = TopicFollower(parts.settings.brokers, parts.topic(topics.SERVICES), self._take)

    async def start(self) -> None:
        """Reads the catalogue to its end, and on."""
        await self._tail.start()

    async def stop(self) -> None:
        """Ends the reading."""
        await self._tail.stop()

    def standing(self) -> list[Announcement]:
        """Every announcement that has not expired, by service and worker."""
        now = time.time()
        return sorted(
            (one for one in self._workers.values() if one.expires > now), key=lambda one: (one.service, one.worker)
        )

    def workers(self, service: str, major: int | None = None) -> list[Announcement]:
        """The live workers of a service (of one major version), with those that take no tasks."""
        return [one for one in self.standing() if one.service == service and major in (None, one.contract.major)]

    def absent(self, service: str, major: int) -> str:
        """Why no worker serves this major version now; empty when one does."""
        now = time.time()
        problem = None
        for one in self._workers.values():
            if one.service == service and one.contract.major == major and one.expires > now:
                if one.able:
                    return ""
                problem = one.problem or ""
        name = f"{service} v{major}"
        return f"no worker of {name} is up" if problem is None else f"no worker of {name} can serve: {problem}"

    def contracts(self) -> dict[str, Contract]:
        """The newest contract of every live service by name."""
        newest: dict[str, Contract] = {}
        for one in self.standing():
            known = newest.get(one.service)
            if known is None or _version(one.contract) > _version(known):
                newest[one.service] = one.contract
        return newest

    async def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Waits until the condition holds after some record, at most so long; whether it does."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._tail.advanced:
                await self._tail.advanced.wait_for(condition)
        return condition()

    async def _take(self, record: Record) -> None:
        key = record.key or b""
        if record.value is None:
            gone = self._workers.pop(key, None)
            self._tell(gone)
            return
        value = record.value
        try:
            decoded = await retry_until_available(
                self._outages, "registry", lambda: self._codec.decode(value, self._schema), RegistryAway
            )
            announced = self._read(decoded)
        except (SchemasError, TypeError) as error:
            log.warning("%s is no announcement: %s", record.where, error)
            return
        now = time.time()
        if announced.expires <= now:
            self._workers.pop(key, None)
            return
        known = self._workers.get(key)
        if known is None:  # of a worker that was killed, nobody else says that it is gone
            self._workers = {each: one for each, one in self._workers.items() if one.expires > now}
        self._workers[key] = announced
        if known is None or known.contract != announced.contract:
            self._tell(announced)

    def _read(self, record: dict[str, Any]) -> Announcement:
        """The same contract is said again and again: it is read once, and is always the same object."""
        said, contract = self._contracts.get(record["service"], (None, None))
        announced = Announcement.from_record(record, contract if said == record["contract"] else None)
        self._contracts[announced.service] = record["contract"], announced.contract
        return announced

    def _tell(self, announced: Announcement | None) -> None:
        if announced is not None and self._changed is not None:
            self._changed(announced.service)


class Announceable(Protocol):
    """What can be announced."""

    @property
    def key(self) -> bytes:
        """The record's key."""

    def to_record(self) -> dict[str, Any]:
        """The record's value."""


class Announcer:
    """Announces a worker's services (or what else `record` on `topic` says) at start and every period; withdraws it at stop."""

    def __init__(
        self,
        parts: Connections,
        make: Callable[[], Iterable[Announceable]],
        period: float = PERIOD,
        topic: str = topics.SERVICES,
        record: str = "Announcement",
    ) -> None:
        self._parts = parts
        self._topic = parts.topic(topic)
        self._make = make
        self._period = period
        self._schema = load(record)
        self._said: set[bytes] = set()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Announces once, and then in the background."""
        await self.announce()
        self._task = asyncio.create_task(self._run(), name="announcements")

    async def announce(self) -> None:
        """Says now what there is."""
        records = []
        for one in self._make():
            encode = functools.partial(self._encoded, one)
            value = await retry_until_available(self._parts.outages, "registry", encode, RegistryAway)
            records.append(Outgoing(self._topic, one.key, value))
            self._said.add(one.key)
        await self._parts.producer.send_all(records)

    def soon(self) -> None:
        """There is something new to say: it is not kept for the next period."""
        self._news.set()

    async def stop(self) -> None:
        """Withdraws every announcement: a tombstone each."""
        await ended(self._task)
        await self._parts.producer.send_all([Outgoing(self._topic, key, None) for key in sorted(self._said)])

    async def _encoded(self, one: Announceable) -> bytes:
        return await self._parts.codec.encode(value_subject(self._topic), self._schema, one.to_record())

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._period):
                    await self._news.wait()
            self._news.clear()
            await self.announce()


def _version(contract: Contract) -> tuple[int, ...]:
    return tuple(int(part) for part in contract.version.split("."))
