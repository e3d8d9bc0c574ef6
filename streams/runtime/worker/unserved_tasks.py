"""Tasks that wait for a service which nobody serves any more: their runs say so.

Whoever sends a task says at once when no worker is up. This is for the others: tasks that were in the queue when the last worker
died, and those that were sent before its absence was noticed. Membership of the service's group is asked of the broker, since a
worker that was killed withdraws nothing.
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
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.catalogue.services import Services
from streams.runtime.connections.connections import Connections
from streams.runtime.connections.publish import Publisher, waiting
from streams.runtime.errors import RuntimeFault
from streams.runtime.worker.cancellations import Cancellations
from streams.wire.records import Place, Record

log = logging.getLogger(__name__)

_EVERY = 5.0
"""Seconds between two looks."""
_MOST = 500
"""Records of a partition that one look reads."""


class UnservedTasks:
    """Looks every few seconds, as long as it is this process's turn (`mine`): of several, one is enough."""

    def __init__(
        self,
        parts: Connections,
        pipelines: Pipelines,
        services: Services,
        publisher: Publisher,
        aborts: Cancellations,
        mine: Callable[[], bool],
    ) -> None:
        self._parts = parts
        self._pipelines = pipelines
        self._services = services
        self._publisher = publisher
        self._aborts = aborts
        self._mine = mine
        self._told: dict[Place, int] = {}
        """Of the topics of services that nobody serves: the offset up to which runs have been told."""
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to look."""
        self._task = asyncio.create_task(self._run(), name="vacancies")

    async def stop(self) -> None:
        """Looks no more."""
        await ended(self._task)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            try:
                if self._mine():
                    await self._look()
            except (KafkaError, KafkaException, OSError) as error:
                log.debug("whether services have workers is not known now: %s", error)
            except (SchemasError, RuntimeFault) as error:
                log.warning("runs that wait for a worker cannot be told so: %s", error)

    async def _look(self) -> None:
        attended = await self._parts.admin.attended()
        schemas = {
            (name, use.major): use.input
            for version in self._pipelines.active().values()
            if (topology := self._pipelines.topology(version.digest)) is not None
            for name, use in topology.services.items()
        }
        vacant = {key for key in schemas if self._parts.group(key[0]) not in attended}
        topics = {self._parts.names.tasks(*key): key for key in sorted(vacant)}
        self._told = {place: offset for place, offset in self._told.items() if place.topic in topics}
        if not topics:
            return
        places = [Place(topic, number) for topic in topics for number in range(await self._partitions(topic))]
        ends = await self._parts.offsets.ends(places)
        for topic, key in topics.items():
            await self._tell(key, schemas[key], {place: end for place, end in ends.items() if place.topic == topic})

    async def _partitions(self, topic: str) -> int:
        try:
            return await self._parts.producer.partitions(topic)
        except UnknownTopicOrPartitionError:
            return 0  # nobody has needed it yet

    async def _tell(self, key: tuple[str, int], schema: object, ends: Mapping[Place, int]) -> None:
        unknown = frozenset(place for place, end in ends.items() if end and place not in self._told)
        if unknown:
            self._told.update(await self._parts.offsets.starts(self._parts.group(key[0]), unknown))
        reason = self._services.absent(*key) or f"no worker of {key[0]} v{key[1]} is up"
        for place, end in ends.items():
            start = self._told.get(place, 0)
            if start >= end:
                continue
            if (await self._parts.admin.members([self._parts.group(key[0])]))[self._parts.group(key[0])]:
                return  # a list shows only groups that one may look at: what is not in it may have members all the same
            stop = min(end, start + _MOST)
            records = await self._parts.offsets.read(place, start, stop)
            await self._publisher.tell([event async for event in self._events(records, schema, reason)])
            self._told[place] = stop

    async def _events(self, records: Iterable[Record], schema: object, reason: str) -> AsyncIterator[Event]:
        for record in records:
            try:
                task: Task = await self._parts.wire.read_task(record, schema)
            except SchemasError:
                continue  # whoever serves it will make it a dead letter
            if task.run.deadline > time.time() and task.run.id not in self._aborts:
                yield waiting(task, reason)
