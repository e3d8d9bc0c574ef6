"""Looking up schemas before a process writes with them, so that a registry that is unavailable by then does not matter."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from schemas.errors import RegistryUnavailable, SchemasError
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
"""Calls to the registry at once, at most."""


class SchemaWarmup:
    """Looks up the ids of all schemas with which runs of the active pipelines are written."""

    def __init__(self, connections: Connections, pipelines: Pipelines) -> None:
        self._connections = connections
        self._pipelines = pipelines
        self._known = set[str]()
        """Digests of the topologies whose schemas were looked up."""
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Look up every schema that is in use now, then, in the background, those that come into use."""
        envelope = "millrace.Envelope", load("Envelope")
        await self._ask([envelope, *subjects(self._connections.names, ()).items(), *self._fresh()])
        self._task = asyncio.create_task(self._follow(), name="schemas of new pipelines")

    async def stop(self) -> None:
        """Stop looking up."""
        await ended(self._task)

    def look(self) -> None:
        """Look for new versions of pipelines."""
        self._news.set()

    async def _follow(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            await self._ask(self._fresh())

    def _fresh(self) -> list[tuple[str, Any]]:
        """Take the subjects and schemas of active and tried versions that were not looked up yet."""
        fresh = list[tuple[str, Any]]()
        for version in self._pipelines.active().values():
            for digest in filter(None, (version.digest, version.candidate)):
                topology = self._pipelines.topology(digest)
                if digest not in self._known and topology is not None:
                    self._known.add(digest)
                    fresh += _own(self._connections.names, topology)
        return fresh

    async def _ask(self, wanted: Iterable[tuple[str, Any]]) -> None:
        slots = asyncio.Semaphore(_AT_ONCE)

        async def look_up(subject: str, schema: Any) -> None:
            async with slots:
                try:
                    await retry_until_available(
                        self._connections.outages,
                        "registry",
                        lambda: self._connections.registry.id_of(subject, schema),
                        RegistryUnavailable,
                    )
                except SchemasError as error:  # the code that writes with it will fail and say so
                    log.warning("the registry rejects the schema of %s: %s", subject, error)

        await asyncio.gather(*(look_up(subject, schema) for subject, schema in wanted))


def _own(names: Topics, topology: Topology) -> Iterable[tuple[str, Any]]:
    core = subjects(names, ())
    return ((subject, schema) for subject, schema in subjects(names, [topology]).items() if subject not in core)
