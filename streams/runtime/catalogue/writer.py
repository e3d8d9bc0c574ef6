"""Publishing versions of pipelines.

Several processes may publish. The version number of a name is taken in S3 with put-if-absent, so that of two writers one
wins; everybody reads the log in Kafka. A change whose writer died between the two is completed by the next writer.
"""

import asyncio
import dataclasses
import functools
from collections.abc import Iterable

import msgspec

from schemas.encoding.codec import value_subject
from schemas.errors import RegistryUnavailable
from schemas.library import load
from streams.language.topology import Topology
from streams.runtime.catalogue.pipeline_topics import ensure_topics
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.catalogue.version import Conflict, Owner, Version, new_version, withdrawn
from streams.runtime.connections.connections import Connections
from streams.runtime.retrying import retry_until_available
from streams.wire import topics
from streams.wire.records import Outgoing


class CatalogueWriter:
    """Changes the catalogue; every change is visible in `pipelines`, which must be started, when the call returns."""

    def __init__(self, connections: Connections, pipelines: Pipelines) -> None:
        self.pipelines = pipelines
        self._connections = connections
        self._topic = connections.topic(topics.PIPELINES)
        self._schema = load("PipelineRecord")

    async def publish(self, topology: Topology, source: str, owner: Owner, expected: str | None = None) -> Version:
        """Make a topology the active version of its name, its topics first. Publishing the active version changes nothing.

        `expected` is the etag that the caller has seen ("" for no active version); None replaces any version. Raises
        Conflict.
        """
        latest = self.pipelines.latest(topology.name)
        active = self.pipelines.version(topology.name)
        if expected is not None and expected != (active.etag if active else ""):
            raise Conflict(topology.name, active)
        if active and (active.digest, active.source, active.owner) == (topology.digest, source, owner):
            return active
        await ensure_topics(self._connections, [topology])
        return await self.change(new_version(topology, source, owner), latest, expected)

    async def remove(self, name: str, expected: str | None = None) -> None:
        """Take a pipeline out of use; its running runs continue. Raises Conflict, KeyError when no version is active."""
        active = self.pipelines.version(name)
        if active is None:
            raise KeyError(name)
        if expected is not None and expected != active.etag:
            raise Conflict(name, active)
        await self.change(withdrawn(active), active, expected)

    async def change(self, wanted: Version, seen: Version | None, expected: str | None) -> Version:
        """Make a version the latest of its name. Returns it with its number.

        With `expected` None, changes of others meanwhile are replaced. Otherwise raises Conflict unless `seen` is still the
        latest version.
        """
        if expected is None:
            (version,) = await self.change_all([wanted])
            return version
        version = await self._number(seen, wanted, again=False)
        await self._send_new([version])
        return version

    async def change_all(self, wanted: Iterable[Version]) -> list[Version]:
        """Make versions the latest of their names, whatever others publish meanwhile. Returns them with their numbers.

        Nothing is published before each version has its number, then all are at once. If this process dies in between, the
        next writer of each name finishes the change.
        """
        numbers = (self._number(self.pipelines.latest(version.name), version, again=True) for version in wanted)
        versions = await asyncio.gather(*numbers)
        await self._send_new(versions)
        return versions

    async def stage(self, wanted: Version) -> None:
        """Make a digest known without changing the active version."""
        if not self.pipelines.has(wanted.digest):
            await self._send([dataclasses.replace(wanted, staged=True, active=False, etag=f"0-{wanted.digest[:16]}")])

    async def forget(self, versions: Iterable[Version]) -> None:
        """Remove versions that no run needs, for good. The latest version of a name stays."""
        removable = [version for version in versions if self.pipelines.latest(version.name) != version]
        await self._connections.producer.send_all([Outgoing(self._topic, version.key, None) for version in removable])
        await self.pipelines.until(lambda: not any(self.pipelines.has(version.digest) for version in removable))

    async def _number(self, latest: Version | None, wanted: Version, *, again: bool) -> Version:
        """Give a change the next free number, and finish changes before it that others left unfinished.

        When somebody else has taken the number: with `again`, tries the next one; otherwise raises Conflict.
        """
        if latest is not None and latest.same(wanted):
            return latest
        number = latest.number + 1 if latest else 1
        version = dataclasses.replace(wanted, etag=f"{number}-{wanted.digest[:16]}")
        key = f"catalog/{self._connections.names.prefix}pipelines/{version.name}/{number:08d}"
        if await self._connections.store.create(key, msgspec.json.encode(version)):
            return version
        other = msgspec.json.decode(await self._connections.store.read(key), type=Version)
        await self._send([other])  # its writer may have died before it published it
        if other.same(version):
            return other
        if again:
            return await self._number(other, wanted, again=True)
        raise Conflict(version.name, other if other.active else None)

    async def _send_new(self, versions: Iterable[Version]) -> None:
        await self._send([version for version in versions if version.number > self.pipelines.number(version.name)])

    async def _send(self, versions: list[Version]) -> None:
        records = [Outgoing(self._topic, version.key, await self._encoded(version)) for version in versions]
        await self._connections.producer.send_all(records)
        await self.pipelines.until(lambda: all(self._visible(version) for version in versions))

    async def _encoded(self, version: Version) -> bytes:
        subject, record = value_subject(self._topic), version.to_record()
        encode = functools.partial(self._connections.codec.encode, subject, self._schema, record)
        return await retry_until_available(self._connections.outages, "registry", encode, RegistryUnavailable)

    def _visible(self, version: Version) -> bool:
        known = self.pipelines.has(version.digest)
        return known and (version.staged or self.pipelines.number(version.name) >= version.number)
