"""Tasks that wait for a service that no worker serves any more: the followers of their runs are informed.

Flow publishes a waiting event when it sends a task and no worker is up. This module is for the other tasks: those that were in the
queue when the last worker died, and those that were sent before its absence was noticed. It asks the broker for the members of the
service's group, since a worker that was killed withdraws nothing.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping

from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError
from confluent_kafka import KafkaException

from schemas.errors import SchemasError
from streams.background import ended
from streams.messages import Event, Task
from streams.runtime.catalogue.services import Services
from streams.runtime.connections.publish import waiting
from streams.runtime.errors import RuntimeFault
from streams.runtime.worker.tasks.context import TaskContext
from streams.wire.records import Place, Record

log = logging.getLogger(__name__)

_PERIOD = 5.0
"""Seconds between two checks."""
_MAX_RECORDS = 500
"""Records of a partition that one check reads."""


class UnservedTasks:
    """Checks every few seconds while `responsible` returns True: of several processes, one is enough."""

    def __init__(self, context: TaskContext, services: Services, responsible: Callable[[], bool]) -> None:
        self._connections = context.connections
        self._pipelines = context.pipelines
        self._publisher = context.publisher
        self._cancellations = context.cancellations
        self._services = services
        self._responsible = responsible
        self._reported: dict[Place, int] = {}
        """For the topics of services that no worker serves: the offset up to which runs have been informed."""
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start checking."""
        self._task = asyncio.create_task(self._run(), name="unserved tasks")

    async def stop(self) -> None:
        """Stop checking."""
        await ended(self._task)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_PERIOD)
            try:
                if self._responsible():
                    await self._check()
            except (KafkaError, KafkaException, OSError) as error:
                log.debug("whether services have workers is not known now: %s", error)
            except (SchemasError, RuntimeFault) as error:
                log.warning("runs that wait for a worker cannot be informed: %s", error)

    async def _check(self) -> None:
        attended = await self._connections.admin.attended()
        schemas = {
            (name, use.major): use.input
            for version in self._pipelines.active().values()
            if (topology := self._pipelines.topology(version.digest)) is not None
            for name, use in topology.services.items()
        }
        unserved = {service for service in schemas if self._connections.group(service[0]) not in attended}
        topics = {self._connections.names.tasks(*service): service for service in sorted(unserved)}
        self._reported = {place: offset for place, offset in self._reported.items() if place.topic in topics}
        if not topics:
            return
        places = [Place(topic, number) for topic in topics for number in range(await self._partitions(topic))]
        ends = await self._connections.offsets.ends(places)
        for topic, service in topics.items():
            topic_ends = {place: end for place, end in ends.items() if place.topic == topic}
            await self._report(service, schemas[service], topic_ends)

    async def _partitions(self, topic: str) -> int:
        try:
            return await self._connections.producer.partitions(topic)
        except UnknownTopicOrPartitionError:
            return 0  # no task has been sent there yet

    async def _report(self, service: tuple[str, int], schema: object, ends: Mapping[Place, int]) -> None:
        """Publish waiting events for the tasks of a service and major version, up to these ends."""
        name, major = service
        group = self._connections.group(name)
        unknown = frozenset(place for place, end in ends.items() if end and place not in self._reported)
        if unknown:
            self._reported.update(await self._connections.offsets.starts(group, unknown))
        reason = self._services.absent(name, major) or f"no worker of {name} v{major} is up"
        for place, end in ends.items():
            start = self._reported.get(place, 0)
            if start >= end:
                continue
            if (await self._connections.admin.members([group]))[group]:
                return  # the list of groups holds only those this process may see: one missing from it may have members
            stop = min(end, start + _MAX_RECORDS)
            records = await self._connections.offsets.read(place, start, stop)
            await self._publisher.publish_events(
                [event async for event in self._waiting_events(records, schema, reason)]
            )
            self._reported[place] = stop

    async def _waiting_events(self, records: Iterable[Record], schema: object, reason: str) -> AsyncIterator[Event]:
        for record in records:
            try:
                task: Task = await self._connections.wire.read_task(record, schema)
            except SchemasError:
                continue  # the worker that serves it later makes it a dead letter
            if task.run.deadline > time.time() and task.run.id not in self._cancellations:
                for event in task.said:  # nobody has published what rides in it
                    yield event
                yield waiting(task, reason)
