"""Flow as a member of its consumer group, with its background work."""

import asyncio

from streams.runtime.catalogue.services import Services
from streams.runtime.delivery.redelivery import DeliveryCounter
from streams.runtime.delivery.shared_exclusive_lock import SharedExclusiveLock
from streams.runtime.flow.handler import FlowHandler
from streams.runtime.worker.hosting.members import Members
from streams.runtime.worker.tasks.context import TaskContext
from streams.runtime.worker.tasks.unserved_tasks import UnservedTasks
from streams.wire.records import Place
from streams.wire.topics import TOKENS

_STORE_PATIENCE = 5.0
"""Seconds that flow waits for the store to say who had its partitions: most runs need nothing else of the store."""
_ROOM = 2048
"""Messages that flow holds: those that wait for their run's turn must leave room for those of other runs."""
_DEPTH = 10_000
"""Records of a partition that flow holds: it leaves the first event of an open run unsettled for a second, and all behind it."""


class FlowHost:
    """Hosts flow: reads the requests of every pipeline, new ones too, and reports tasks that no worker serves."""

    def __init__(self, worker: str, members: Members, context: TaskContext, services: Services) -> None:
        self._worker = worker
        self._members = members
        self._connections = context.connections
        self._flow = FlowHandler(context.connections, context.pipelines, context.publisher, context.letters)
        first = Place(context.connections.topic(TOKENS), 0)
        self._unserved = UnservedTasks(context, services, lambda: first in self._flow.member.assigned)
        self._deliveries: DeliveryCounter | None = None
        self._pipelines_changed = asyncio.Event()
        self._following: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Add flow's member and start its background work."""
        flow = self._flow
        topics = flow.topics()
        deliveries = self._deliveries = flow.watch = DeliveryCounter(
            self._connections,
            self._worker,
            self._connections.group("flow"),
            SharedExclusiveLock(),
            lambda: flow.member.partitions,
            _STORE_PATIENCE,
            _DEPTH,
        )

        def assigned() -> None:
            deliveries.claim()
            flow.assigned()

        flow.member = self._members.add(
            "flow", sorted(topics), flow.handle, room=_ROOM, depth=_DEPTH, on_generation=assigned, skips=flow.skips
        )
        await flow.requests.know(topics)
        await flow.start()
        await self._unserved.start()
        self._following = asyncio.create_task(self._follow(), name="new pipelines")

    async def stop(self) -> None:
        """Stop the background work."""
        if self._following is not None:
            self._following.cancel()
        await self._unserved.stop()
        await self._flow.stop()

    async def release(self) -> None:
        """Give up the claim to flow's partitions, so that the next owner does not suspect their records."""
        if self._deliveries is not None:
            await self._deliveries.release()

    def look(self) -> None:
        """Look for new pipelines, after one changed, and read their requests too."""
        self._pipelines_changed.set()

    async def _follow(self) -> None:
        while True:
            await self._pipelines_changed.wait()
            self._pipelines_changed.clear()
            topics = self._flow.topics()
            if topics - self._flow.member.topics:
                await self._flow.requests.know(topics)
                await self._flow.member.subscribe(topics)
