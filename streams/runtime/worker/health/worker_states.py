"""The states of all workers, including those that serve no service: what their readers cannot read."""

import logging
import time
from dataclasses import dataclass
from typing import Any

from schemas.errors import RegistryUnavailable, SchemasError
from schemas.library import load
from streams.reader_trouble import Trouble
from streams.runtime.catalogue.announcements import MISSED, PERIOD
from streams.runtime.connections.connections import Connections
from streams.runtime.retrying import retry_until_available
from streams.wire import topics
from streams.wire.records import Record

log = logging.getLogger(__name__)

LASTING = 10.0
"""Seconds after which a trouble is reported: a broker that comes back ends many at once."""


@dataclass(frozen=True)
class WorkerState:
    """What a worker announces of itself."""

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
        """Epoch seconds from which the worker counts as gone unless it announces itself again."""
        return self.at + MISSED * self.period

    def to_record(self) -> dict[str, Any]:
        """Return the value of the record, a `millrace.WorkerState`."""
        troubles = [trouble.to_json() for trouble in self.troubles]
        return {**self.__dict__, "groups": list(self.groups), "troubles": troubles}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "WorkerState":
        """Return the state in the value of a record, a `millrace.WorkerState`."""
        troubles = tuple(Trouble.from_json(trouble) for trouble in record["troubles"])
        return cls(**{**record, "groups": tuple(record["groups"]), "troubles": troubles})


class WorkerStates:
    """The last state of every worker, kept up to date."""

    def __init__(self, connections: Connections) -> None:
        self._codec = connections.codec
        self._outages = connections.outages
        self._schema = load("WorkerState")
        self._workers: dict[bytes, WorkerState] = {}
        self._follower = connections.follow(topics.WORKERS, self._take)

    async def start(self) -> None:
        """Read the topic to its end, and go on following it."""
        await self._follower.start()

    async def stop(self) -> None:
        """Stop following the topic."""
        await self._follower.stop()

    def troubles(self) -> list[Trouble]:
        """Return what readers of live workers have been unable to read for some seconds, oldest first."""
        now = time.time()
        troubles = {trouble for state in self._workers.values() if state.expires > now for trouble in state.troubles}
        return sorted(
            (trouble for trouble in troubles if trouble.since < now - LASTING),
            key=lambda trouble: (trouble.since, trouble.where),
        )

    async def _take(self, record: Record) -> None:
        key, value = record.key or b"", record.value
        if value is None:
            self._workers.pop(key, None)
            return
        try:
            decoded = await retry_until_available(
                self._outages, "registry", lambda: self._codec.decode(value, self._schema), RegistryUnavailable
            )
            state = WorkerState.from_record(decoded)
        except (SchemasError, TypeError) as error:
            log.warning("%s is not the state of a worker: %s", record.where, error)
            return
        now = time.time()
        self._workers = {worker: known for worker, known in self._workers.items() if known.expires > now}
        if state.expires > now:
            self._workers[key] = state
