"""The catalogue of pipelines as this process knows it: topologies by digest, and the active version of each name."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from schemas.errors import RegistryUnavailable, SchemasError
from schemas.library import load
from streams.language.topology import Topology
from streams.runtime.catalogue.version import Version
from streams.runtime.connections.connections import Connections
from streams.runtime.retrying import retry_until_available
from streams.wire import topics
from streams.wire.records import Record

log = logging.getLogger(__name__)


class Pipelines:
    """Every version of every pipeline, kept up to date from `catalog.pipelines`.

    `changed` is called with a pipeline's name after each change of its active version.
    """

    def __init__(self, connections: Connections, changed: Callable[[str], None] | None = None) -> None:
        self._codec = connections.codec
        self._outages = connections.outages
        self._schema = load("PipelineRecord")
        self._changed = changed
        self._latest: dict[str, Version] = {}
        self._by_digest: dict[str, Version] = {}
        self._topologies: dict[str, Topology] = {}
        self._follower = connections.follow(topics.PIPELINES, self._take)

    async def start(self) -> None:
        """Read the catalogue to its present end, and follow it from there."""
        await self._follower.start()

    async def stop(self) -> None:
        """Stop following."""
        await self._follower.stop()

    def active(self) -> dict[str, Version]:
        """List the active version of every pipeline by name, sorted."""
        return {name: version for name, version in sorted(self._latest.items()) if version.active}

    def version(self, name: str) -> Version | None:
        """Return the active version of a pipeline; None for one that is unknown or removed."""
        latest = self._latest.get(name)
        return latest if latest and latest.active else None

    def shadow(self, name: str) -> str | None:
        """Return the digest of the version that repeats every run of a pipeline unseen; None without one."""
        version = self.version(name)
        return version.rollout.shadow if version else None

    def latest(self, name: str) -> Version | None:
        """Return the last version that was published under a name, also of a removed pipeline; None for an unknown name."""
        return self._latest.get(name)

    def number(self, name: str) -> int:
        """Return the number of the last change of a name; 0 when there is none."""
        latest = self._latest.get(name)
        return latest.number if latest else 0

    def known(self, name: str) -> list[Version]:
        """List the versions of a name that have not been forgotten, the one that changed last first."""
        versions = [version for version in self._by_digest.values() if version.name == name]
        return sorted(versions, key=lambda version: (version.number, version.at), reverse=True)

    def has(self, digest: str) -> bool:
        """Say whether a version of this digest is known."""
        return digest in self._by_digest

    def names(self) -> frozenset[str]:
        """List every name that was ever used: runs of a removed pipeline may still be in progress."""
        return frozenset(self._latest)

    def topology(self, digest: str) -> Topology | None:
        """Return the topology of a digest; None when the catalogue does not show it (yet)."""
        topology = self._topologies.get(digest)
        if topology is None and digest in self._by_digest:
            topology = self._topologies[digest] = Topology.from_json(self._by_digest[digest].topology)
        return topology

    def retained(self) -> dict[str, float]:
        """List the seconds that objects of runs are kept, by digest, for the versions that set it."""
        topologies = {digest: self.topology(digest) for digest in self._by_digest}
        return {
            digest: topology.retain
            for digest, topology in topologies.items()
            if topology is not None and topology.retain is not None
        }

    async def wait_topology(self, digest: str) -> Topology:
        """Wait until this process has seen a digest, and return its topology."""
        topology = self.topology(digest)
        if topology is None:
            log.warning("waiting for the topology %s", digest[:12])
            with self._outages.waiting("catalog.pipelines"):
                await self.until(lambda: digest in self._by_digest)
            topology = self.topology(digest)
        assert topology is not None
        return topology

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds after some record."""
        async with self._follower.advanced:
            await self._follower.advanced.wait_for(condition)

    async def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until the condition holds after some record, at most so long. Returns whether it holds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.until(condition)
        return condition()

    async def _take(self, record: Record) -> None:
        value = record.value
        if value is None:
            self._forget((record.key or b"").decode(errors="replace"))
            return
        try:
            decoded = await retry_until_available(
                self._outages, "registry", lambda: self._codec.decode(value, self._schema), RegistryUnavailable
            )
            version = Version.from_record(decoded)
        except (SchemasError, TypeError, ValueError) as error:
            log.warning("%s is not a valid version of a pipeline: %s", record.where, error)
            return
        known = self._by_digest.get(version.digest)
        if known is None or known.number <= version.number:
            self._by_digest[version.digest] = version
        if version.staged or version.number < self.number(version.name):
            return  # staged, or an older change that a writer found unfinished and sent again: the active version stays
        self._latest[version.name] = version
        if self._changed is not None:
            self._changed(version.name)

    def _forget(self, key: str) -> None:
        name, _, digest = key.partition("@")
        latest = self._latest.get(name)
        if latest is None or latest.digest != digest:
            self._by_digest.pop(digest, None)
            self._topologies.pop(digest, None)
