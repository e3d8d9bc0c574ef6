"""The catalogue of pipelines: topologies by digest, the active one of each name, and publishing a version.

Several processes may publish. The version number of a name is taken in S3 with put-if-absent, so that of two writers one
wins; the log in Kafka is what everybody reads. A writer that died between the two is completed by the next one.
"""

import asyncio
import contextlib
import dataclasses
import functools
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec

from schemas.encoding.codec import value_subject
from schemas.errors import RegistryAway, SchemasError
from schemas.library import load
from schemas.results import result_schema
from streams.language.topology import Topology
from streams.runtime.catalogue.version import Conflict, Owner, Version, new_version, withdrawn
from streams.runtime.connections.connections import Connections
from streams.runtime.kafka.topic_follower import TopicFollower
from streams.runtime.retrying import retry_until_available
from streams.wire import topic_specs, topics
from streams.wire.records import Outgoing, Record

__all__ = ["Conflict", "Owner", "Pipelines", "Version", "new_version", "withdrawn"]

log = logging.getLogger(__name__)


class Pipelines:
    """Every version, kept up to date; `changed` is called with a pipeline's name when another version becomes active."""

    def __init__(self, parts: Connections, changed: Callable[[str], None] | None = None) -> None:
        self._parts = parts
        self._schema = load("PipelineRecord")
        self._changed = changed
        self._latest: dict[str, Version] = {}
        self._by_digest: dict[str, Version] = {}
        self._topologies: dict[str, Topology] = {}
        self._tail = TopicFollower(parts.settings.brokers, parts.topic(topics.PIPELINES), self._take)

    async def start(self) -> None:
        """Reads the catalogue to its end, and on."""
        await self._tail.start()

    async def stop(self) -> None:
        """Ends the reading."""
        await self._tail.stop()

    def active(self) -> dict[str, Version]:
        """The active version of every pipeline by name, sorted."""
        return {name: one for name, one in sorted(self._latest.items()) if one.active}

    def latest(self, name: str) -> Version | None:
        """What was said of a name last, whether it is in use or not."""
        return self._latest.get(name)

    def known(self, name: str) -> list[Version]:
        """Every version of a name that is still known, the one that changed last first."""
        found = [one for one in self._by_digest.values() if one.name == name]
        return sorted(found, key=lambda one: (one.number, one.at), reverse=True)

    def version(self, name: str) -> Version | None:
        """The active version of a pipeline."""
        found = self._latest.get(name)
        return found if found and found.active else None

    def names(self) -> frozenset[str]:
        """Every name that was ever used: runs of a removed pipeline may still be under way."""
        return frozenset(self._latest)

    def topology(self, digest: str) -> Topology | None:
        """The topology of a digest, or None when the catalogue has not (yet) shown it."""
        known = self._topologies.get(digest)
        if known is None and digest in self._by_digest:
            known = self._topologies[digest] = Topology.from_json(self._by_digest[digest].topology)
        return known

    def retained(self) -> dict[str, float]:
        """How many seconds the objects of runs are kept, by digest, of the versions that say so."""
        known = {digest: self.topology(digest) for digest in self._by_digest}
        return {digest: one.retain for digest, one in known.items() if one is not None and one.retain is not None}

    async def wait_topology(self, digest: str) -> Topology:
        """The topology of a digest; waits for one that this process has not seen yet."""
        found = self.topology(digest)
        if found is None:
            log.warning("waiting for the topology %s", digest[:12])
            with self._parts.outages.waiting("catalog.pipelines"):
                await self._until(lambda: digest in self._by_digest)
            found = self.topology(digest)
        assert found is not None
        return found

    async def publish(self, topology: Topology, source: str, owner: Owner, expected: str | None = None) -> Version:
        """Makes a topology the active version of its name, its topics first; publishing what is active changes nothing.

        `expected` is the etag that the caller has seen ("" for: none yet); with None, whatever stands is
        replaced. Raises Conflict.
        """
        current = self._latest.get(topology.name)
        standing = current if current and current.active else None
        if expected is not None and expected != (standing.etag if standing else ""):
            raise Conflict(topology.name, standing)
        if standing and (standing.digest, standing.source, standing.owner) == (topology.digest, source, owner):
            return standing
        await self.make_topics([topology])
        made = new_version(topology, source, owner)
        return await (self.change(made) if expected is None else self.change_from(current, made))

    async def remove(self, name: str, expected: str | None = None) -> None:
        """Takes a pipeline out of use; runs under way go on. Raises Conflict, KeyError when there is none."""
        current = self.version(name)
        if current is None:
            raise KeyError(name)
        if expected is not None and expected != current.etag:
            raise Conflict(name, current)
        gone = withdrawn(current)
        await (self.change(gone) if expected is None else self.change_from(current, gone))

    async def change(self, wanted: Version) -> Version:
        """Makes this what is said of its name, whatever somebody else says meanwhile."""
        (made,) = await self.change_all([wanted])
        return made

    async def change_from(self, seen: Version | None, wanted: Version) -> Version:
        """Makes this what is said of its name, if what was said last is still what the caller has seen. Raises Conflict."""
        made = await self._numbered(seen, wanted, again=False)
        await self._send_new([made])
        return made

    async def change_all(self, wanted: Iterable[Version]) -> list[Version]:
        """`change` for several names: no change is published before each has its number, then all are at once.

        Who dies in between leaves numbers that are taken: the next writer of each name finishes that change.
        """
        made = await asyncio.gather(*(self._numbered(self._latest.get(one.name), one, again=True) for one in wanted))
        await self._send_new(made)
        return made

    async def stage(self, wanted: Version) -> None:
        """Makes a digest known without changing what is active."""
        if wanted.digest not in self._by_digest:
            await self._send([dataclasses.replace(wanted, staged=True, active=False, etag=f"0-{wanted.digest[:16]}")])

    async def forget(self, versions: Iterable[Version]) -> None:
        """Removes versions that no run needs, for good. What was said of a name last cannot be removed."""
        gone = [one for one in versions if self._latest.get(one.name) != one]
        topic = self._parts.topic(topics.PIPELINES)
        await self._parts.producer.send_all([Outgoing(topic, one.key, None) for one in gone])
        await self._until(lambda: all(one.digest not in self._by_digest for one in gone))

    async def make_topics(self, topologies: list[Topology]) -> None:
        """Makes the topics of these pipelines and of the services that they use, and registers their schemas.

        Raises Incompatible when an older reader or writer could not understand the pipeline's new input or output.
        """
        names, count = self._parts.names, self._parts.settings.partitions
        specs = [spec for one in topologies for spec in topic_specs.pipeline(names, one.name, count)]
        for one in topologies:  # strangers find the schemas in the registry; an incompatible one is refused here
            await self._registered(names.requests(one.name), one.input)
            await self._registered(names.results(one.name), result_schema(one.name, one.output))
        used = {(name, use.major) for one in topologies for name, use in one.services.items()}
        specs += [topic_specs.service(names, name, major, count) for name, major in sorted(used)]
        await self._parts.admin.ensure(specs, self._parts.settings.replication)

    async def _registered(self, topic: str, schema: Any) -> None:
        await retry_until_available(
            self._parts.outages,
            "registry",
            lambda: self._parts.registry.register(value_subject(topic), schema),
            RegistryAway,
        )

    async def _numbered(self, current: Version | None, wanted: Version, again: bool) -> Version:
        """The change with a number that nobody else has; what others left unfinished before it is finished."""
        if current is not None and current.same(wanted):
            return current
        number = current.number + 1 if current else 1
        made = dataclasses.replace(wanted, etag=f"{number}-{wanted.digest[:16]}")
        place = f"catalog/{self._parts.names.prefix}pipelines/{made.name}/{number:08d}"
        if await self._parts.store.create(place, msgspec.json.encode(made)):
            return made
        other = msgspec.json.decode(await self._parts.store.read(place), type=Version)
        await self._send([other])  # its writer may have died before it came to this
        if other.same(made):
            return other
        if again:
            return await self._numbered(other, wanted, again)
        raise Conflict(made.name, other if other.active else None)

    async def _send_new(self, versions: Iterable[Version]) -> None:
        await self._send(one for one in versions if one.number > self._number(one.name))

    async def _send(self, versions: Iterable[Version]) -> None:
        versions, topic = list(versions), self._parts.topic(topics.PIPELINES)

        def encoded(version: Version) -> Awaitable[bytes]:
            return self._parts.codec.encode(value_subject(topic), self._schema, _record(version))

        await self._parts.producer.send_all(
            [
                Outgoing(
                    topic,
                    one.key,
                    await retry_until_available(
                        self._parts.outages, "registry", functools.partial(encoded, one), RegistryAway
                    ),
                )
                for one in versions
            ]
        )
        await self._until(lambda: all(self._shown(one) for one in versions))

    def _shown(self, version: Version) -> bool:
        return version.digest in self._by_digest and (version.staged or self._number(version.name) >= version.number)

    def _number(self, name: str) -> int:
        known = self._latest.get(name)
        return known.number if known else 0

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with self._tail.advanced:
            await self._tail.advanced.wait_for(condition)

    async def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Waits until the condition holds after some record, at most so long; whether it does."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._until(condition)
        return condition()

    async def _take(self, record: Record) -> None:
        value = record.value
        if value is None:
            self._forgotten((record.key or b"").decode(errors="replace"))
            return
        try:
            decoded = await retry_until_available(
                self._parts.outages, "registry", lambda: self._parts.codec.decode(value, self._schema), RegistryAway
            )
            version = Version(**{**decoded, "owner": Owner(decoded["owner"])})
        except (SchemasError, TypeError, ValueError) as error:
            log.warning("%s is no version of a pipeline: %s", record.where, error)
            return
        known = self._by_digest.get(version.digest)
        if known is None or known.number <= version.number:
            self._by_digest[version.digest] = version
        if version.staged or version.number < self._number(version.name):
            return  # it changes nothing of what is active; or an older change, sent again by a writer that found it unfinished
        self._latest[version.name] = version
        if self._changed is not None:
            self._changed(version.name)

    def _forgotten(self, key: str) -> None:
        name, _, digest = key.partition("@")
        latest = self._latest.get(name)
        if latest is None or latest.digest != digest:
            self._by_digest.pop(digest, None)
            self._topologies.pop(digest, None)


def _record(version: Version) -> dict[str, Any]:
    return {**dataclasses.asdict(version), "owner": version.owner.value}
