"""Schemas that a process will write with, asked of the registry before they are needed: it may be away by then, and need not matter."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from schemas.errors import RegistryAway, SchemasError
from schemas.library import load
from streams.background import ended
from streams.language.topology import Topology
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.catalogue.subjects import subjects
from streams.runtime.connections.connections import Connections
from streams.runtime.retrying import retry_until_available
from streams.wire.topics import Topics

log = logging.getLogger(__name__)

_AT_ONCE = 8
"""Calls to the registry under way at a time."""


class SchemaWarmup:
    """Keeps the ids of all schemas known that runs of the active pipelines are written with."""

    def __init__(self, parts: Connections, pipelines: Pipelines) -> None:
        self._parts = parts
        self._pipelines = pipelines
        self._known = set[str]()
        """Digests of the pipelines whose schemas are known."""
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when everything is known that is in use now; goes on to learn what comes into use."""
        envelope = "millrace.Envelope", load("Envelope")
        await self._ask([envelope, *subjects(self._parts.names, ()).items(), *self._fresh()])
        self._task = asyncio.create_task(self._follow(), name="schemas of new pipelines")

    async def stop(self) -> None:
        """Learns no more."""
        await ended(self._task)

    def look(self) -> None:
        """A pipeline has another version."""
        self._news.set()

    async def _follow(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            await self._ask(self._fresh())

    def _fresh(self) -> list[tuple[str, Any]]:
        """Subjects and schemas of the versions in use, or tried, that are not known yet."""
        found = list[tuple[str, Any]]()
        for version in self._pipelines.active().values():
            for digest in filter(None, (version.digest, version.candidate)):
                topology = self._pipelines.topology(digest)
                if digest not in self._known and topology is not None:
                    self._known.add(digest)
                    found += _own(self._parts.names, topology)
        return found

    async def _ask(self, wanted: Iterable[tuple[str, Any]]) -> None:
        room = asyncio.Semaphore(_AT_ONCE)

        async def one(subject: str, schema: Any) -> None:
            async with room:
                try:
                    await retry_until_available(
                        self._parts.outages,
                        "registry",
                        lambda: self._parts.registry.id_of(subject, schema),
                        RegistryAway,
                    )
                except SchemasError as error:  # whoever writes with it will meet it too, and say so in its place
                    log.warning("the schema of %s is refused by the registry: %s", subject, error)

        await asyncio.gather(*(one(subject, schema) for subject, schema in wanted))


def _own(names: Topics, topology: Topology) -> Iterable[tuple[str, Any]]:
    core = subjects(names, ())
    return ((subject, schema) for subject, schema in subjects(names, [topology]).items() if subject not in core)
