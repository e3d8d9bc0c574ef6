"""The services that a worker serves, each as a member of its consumer group."""

import asyncio
import functools
from collections.abc import Callable

from aiokafka.errors import KafkaError

from streams.runtime.delivery.redelivery import DeliveryCounter
from streams.runtime.delivery.shared_exclusive_lock import SharedExclusiveLock
from streams.runtime.kafka.group_member import GroupMember
from streams.runtime.models.models import Models
from streams.runtime.worker.hosting.discover import DiscoveredService
from streams.runtime.worker.hosting.members import Members
from streams.runtime.worker.hosting.service_processes import ServiceProcesses
from streams.runtime.worker.tasks.attempt import HostedService
from streams.runtime.worker.tasks.context import TaskContext
from streams.runtime.worker.tasks.handler import TaskHandler


class ServiceHost:
    """Makes services take tasks. `joined` is called when one does so after the start of the worker."""

    def __init__(
        self,
        worker: str,
        members: Members,
        processes: ServiceProcesses,
        models: Models,
        context: TaskContext,
        joined: Callable[[], None],
    ) -> None:
        self._worker = worker
        self._members = members
        self._processes = processes
        self._models = models
        self._context = context
        self._joined = joined
        self._handlers: dict[str, TaskHandler] = {}
        self._deliveries: list[DeliveryCounter] = []
        self._lock = SharedExclusiveLock()

    async def join(self, service: DiscoveredService) -> None:
        """Make a service take tasks: together with the other members at the start of the worker, or at once later."""
        member = self._add(service)
        if not self._members.started:
            return
        try:
            await member.start()
        except (KafkaError, OSError) as error:
            member.broken(f"it cannot join its group: {error}")
        self._joined()

    async def release(self) -> None:
        """Give up the claims to partitions, so that the next owners do not suspect their records."""
        await asyncio.gather(*(deliveries.release() for deliveries in self._deliveries), return_exceptions=True)

    def running(self, name: str) -> int:
        """Return the attempts of a service in progress; 0 for one that takes no tasks."""
        return self._handlers[name].running if name in self._handlers else 0

    def _add(self, service: DiscoveredService) -> GroupMember:
        connections, name = self._context.connections, service.name
        group = connections.group(name)
        deliveries = DeliveryCounter(connections, self._worker, group, self._lock, lambda: member.partitions)
        handler = self._handlers[name] = TaskHandler(
            HostedService(service.module, service.contract, service.waits, service.repeatable),
            self._context,
            self._processes.executor(service),
            deliveries,
            functools.partial(self._models.folder, name),
        )
        member = self._members.add(
            name,
            [connections.names.tasks(name, service.contract.major)],
            handler,
            room=self._room(service),
            on_generation=deliveries.claim,
            allowed=lambda: handler.allowed,
        )
        self._deliveries.append(deliveries)
        return member

    def _room(self, service: DiscoveredService) -> int:
        """Return how many records to hold: enough to fetch and store objects while the pool computes, without filling memory."""
        capacity = self._processes.capacity(service)
        return capacity if service.waits else max(4, 2 * service.batch) * capacity + 4
