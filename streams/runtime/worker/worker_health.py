"""How all workers are, those too that serve no service: what their readers cannot read."""

import logging
import time
from dataclasses import dataclass
from typing import Any

from schemas.errors import RegistryAway, SchemasError
from schemas.library import load
from streams.reader_trouble import Trouble
from streams.runtime.catalogue.announcements import MISSED, PERIOD
from streams.runtime.connections.connections import Connections
from streams.runtime.retrying import retry_until_available
from streams.wire import topics
from streams.wire.records import Record

log = logging.getLogger(__name__)

LASTING = 10.0
"""Seconds after which a trouble is worth a word: a broker that comes back ends many at once."""


@dataclass(frozen=True)
class WorkerState:
    """What a worker says of itself."""

    worker: str
    at: float
    """Epoch seconds."""
    period: float = PERIOD
    groups: tuple[str, ...] = ()
    troubles: tuple[Trouble, ...] = ()

    @property
    def key(self) -> bytes:
        """The record's key: the worker."""
        return self.worker.encode()

    @property
    def expires(self) -> float:
        """Epoch seconds from which the worker counts as gone unless it says so again."""
        return self.at + MISSED * self.period

    def to_record(self) -> dict[str, Any]:
        """millrace.WorkerState."""
        troubles = [one.to_json() for one in self.troubles]
        return {**self.__dict__, "groups": list(self.groups), "troubles": troubles}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "WorkerState":
        """The state of a millrace.WorkerState."""
        troubles = tuple(Trouble.from_json(one) for one in record["troubles"])
        return cls(**{**record, "groups": tuple(record["groups"]), "troubles": troubles})


class WorkerStates:
    """What every worker said last, kept up to date."""

    def __init__(self, parts: Connections) -> None:
        self._codec = parts.codec
        self._outages = parts.outages
        self._schema = load("WorkerState")
        self._workers: dict[bytes, WorkerState] = {}
        self._tail = parts.follow(topics.WORKERS, self._take)

    async def start(self) -> None:
        """Reads what was said to its end, and on."""
        await self._tail.start()

    async def stop(self) -> None:
        """Ends the reading."""
        await self._tail.stop()

    def troubles(self) -> list[Trouble]:
        """What readers of workers that live cannot read, and could not for some seconds; the oldest first."""
        now = time.time()
        found = {one for state in self._workers.values() if state.expires > now for one in state.troubles}
        return sorted((one for one in found if one.since < now - LASTING), key=lambda one: (one.since, one.where))

    async def _take(self, record: Record) -> None:
        key, value = record.key or b"", record.value
        if value is None:
            self._workers.pop(key, None)
            return
        try:
            decoded = await retry_until_available(
                self._outages, "registry", lambda: self._codec.decode(value, self._schema), RegistryAway
            )
            state = WorkerState.from_record(decoded)
        except (SchemasError, TypeError) as error:
            log.warning("%s says nothing of a worker: %s", record.where, error)
            return
        now = time.time()
        self._workers = {each: one for each, one in self._workers.items() if one.expires > now}
        if state.expires > now:
            self._workers[key] = state
