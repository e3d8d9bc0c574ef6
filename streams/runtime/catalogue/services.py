"""The live catalogue of services: which workers announce which service."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any

from schemas.contracts import Contract
from schemas.errors import RegistryUnavailable, SchemasError
from schemas.library import load
from streams.runtime.catalogue.announcements import Announcement
from streams.runtime.connections.connections import Connections
from streams.runtime.retrying import retry_until_available
from streams.wire import topics
from streams.wire.records import Record

log = logging.getLogger(__name__)


class Services:
    """The present announcement of every worker and service, kept up to date from `catalog.services`.

    `changed` is called with a service's name when a worker of it comes, goes or changes its contract.
    """

    def __init__(self, connections: Connections, changed: Callable[[str], None] | None = None) -> None:
        self._codec = connections.codec
        self._outages = connections.outages
        self._schema = load("Announcement")
        self._changed = changed
        self._announcements: dict[bytes, Announcement] = {}
        self._contracts: dict[str, tuple[Any, Contract]] = {}
        """The last contract of each service, in JSON and parsed."""
        self._follower = connections.follow(topics.SERVICES, self._take)

    async def start(self) -> None:
        """Read the catalogue to its present end, and follow it from there."""
        await self._follower.start()

    async def stop(self) -> None:
        """Stop following."""
        await self._follower.stop()

    def standing(self) -> list[Announcement]:
        """List the announcements that have not expired, by service and worker."""
        now = time.time()
        current = [announcement for announcement in self._announcements.values() if announcement.expires > now]
        return sorted(current, key=lambda announcement: (announcement.service, announcement.worker))

    def workers(self, service: str, major: int | None = None) -> list[Announcement]:
        """List the live workers of a service (`major` None: of any major version), also those that take no tasks."""
        return [
            announcement
            for announcement in self.standing()
            if announcement.service == service and major in (None, announcement.contract.major)
        ]

    def absent(self, service: str, major: int) -> str:
        """Say why no worker serves this major version now; empty when one does."""
        now = time.time()
        problem = None
        for worker in self._announcements.values():
            if worker.service == service and worker.contract.major == major and worker.expires > now:
                if worker.able:
                    return ""
                problem = worker.problem or ""
        name = f"{service} v{major}"
        return f"no worker of {name} is up" if problem is None else f"no worker of {name} can serve: {problem}"

    def contracts(self) -> dict[str, Contract]:
        """List the newest contract of every live service by name."""
        newest: dict[str, Contract] = {}
        for worker in self.standing():
            known = newest.get(worker.service)
            if known is None or _version(worker.contract) > _version(known):
                newest[worker.service] = worker.contract
        return newest

    async def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until the condition holds after some record, at most so long. Returns whether it holds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._follower.advanced:
                await self._follower.advanced.wait_for(condition)
        return condition()

    async def _take(self, record: Record) -> None:
        key, value = record.key or b"", record.value
        if value is None:
            self._notify(self._announcements.pop(key, None))
            return
        try:
            decoded = await retry_until_available(
                self._outages, "registry", lambda: self._codec.decode(value, self._schema), RegistryUnavailable
            )
            announcement = self._parse(decoded)
        except (SchemasError, TypeError) as error:
            log.warning("%s is not a valid announcement: %s", record.where, error)
            return
        now = time.time()
        if announcement.expires <= now:
            self._announcements.pop(key, None)
            return
        known = self._announcements.get(key)
        if known is None:  # drop expired ones: a worker that was killed left no tombstone
            self._announcements = {each: other for each, other in self._announcements.items() if other.expires > now}
        self._announcements[key] = announcement
        if known is None or known.contract != announcement.contract:
            self._notify(announcement)

    def _parse(self, record: dict[str, Any]) -> Announcement:
        """Parse an announcement. A contract that was announced before is parsed once, and is the same object each time."""
        text, contract = self._contracts.get(record["service"], (None, None))
        announcement = Announcement.from_record(record, contract if text == record["contract"] else None)
        self._contracts[announcement.service] = record["contract"], announcement.contract
        return announcement

    def _notify(self, announcement: Announcement | None) -> None:
        if announcement is not None and self._changed is not None:
            self._changed(announcement.service)


def _version(contract: Contract) -> tuple[int, ...]:
    return tuple(int(part) for part in contract.version.split("."))
