"""One worker process: connects, hosts services and agents, announces them, supervises them, and shuts down cleanly."""

import asyncio
import contextlib
import functools
import logging
import os
import socket
import uuid
from collections.abc import Callable

from streams.runtime.catalogue.announcements import Announcer
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.catalogue.schema_warmup import SchemaWarmup
from streams.runtime.catalogue.services import Services
from streams.runtime.connections.connections import Connections
from streams.runtime.connections.dead_letters import DeadLetters
from streams.runtime.connections.publish import Publisher
from streams.runtime.delivery.retry_forwarder import ROOM as RETRY_ROOM
from streams.runtime.delivery.retry_forwarder import RetryForwarder
from streams.runtime.models.models import Models
from streams.runtime.worker.health.supervision import Supervisor
from streams.runtime.worker.hosting.announcements import ServiceAnnouncements
from streams.runtime.worker.hosting.discover import DiscoveredService, discover
from streams.runtime.worker.hosting.flow_host import FlowHost
from streams.runtime.worker.hosting.members import Members
from streams.runtime.worker.hosting.service_host import ServiceHost
from streams.runtime.worker.hosting.service_pipelines import publish_service_pipelines
from streams.runtime.worker.hosting.service_processes import ServiceProcesses
from streams.runtime.worker.hosting.service_readiness import ServiceReadiness
from streams.runtime.worker.plan import Background, WorkerPlan
from streams.runtime.worker.tasks.cancellations import Cancellations
from streams.runtime.worker.tasks.context import TaskContext
from streams.settings import Settings
from streams.wire import topic_specs
from streams.wire.topics import EVENTS, RETRY_TIERS, WORKERS

log = logging.getLogger(__name__)

GRACE = 20.0
"""Seconds that work in progress gets at a stop."""
_RECORDER_ROOM = 2000
"""Events that the recorder holds."""


class Worker:
    """A worker process, from connecting to its end. To be created inside the event loop in which it runs."""

    def __init__(self, settings: Settings, plan: WorkerPlan) -> None:
        self.id = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self._settings = settings
        self._plan = plan
        self._stop = asyncio.Event()
        self._cleanup = contextlib.AsyncExitStack()

        connections = self._connections = Connections.of(settings, source=f"worker/{self.id}")
        self._pipelines = Pipelines(connections, changed=self._pipeline_changed)
        self._warmup = SchemaWarmup(connections, self._pipelines)
        self._services = Services(connections)
        letters = DeadLetters(connections)
        self._cancellations = Cancellations(connections)
        context = TaskContext(
            connections, self._pipelines, Publisher(connections, self._services.absent), self._cancellations, letters
        )

        self._members = Members(connections, letters)
        self._processes = ServiceProcesses(settings.workers)
        self._models = Models(connections, self._model_changed)
        self._host = ServiceHost(
            self.id, self._members, self._processes, self._models, context, joined=self._announce_soon
        )
        self._readiness = ServiceReadiness(
            lambda service: self._models.statuses(service.name, service.models),
            self._processes.load,
            self._host.join,
            self._discovered_again,
        )
        self._flow = FlowHost(self.id, self._members, context, self._services)

        self._announcements = ServiceAnnouncements(
            self.id, connections, self._readiness, self._processes, self._models, self._host
        )
        self._supervisor = Supervisor(self.id, connections, self._members, checked=self._announce_changes)
        self._service_announcer = Announcer(connections, self._announcements.records, settings.announce)
        self._state_announcer = Announcer(
            connections, lambda: [self._supervisor.state()], settings.announce, WORKERS, "WorkerState"
        )

    def stop(self) -> None:
        """Ask the worker to stop."""
        self._stop.set()

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Connect, serve until `stop`, and leave nothing behind. `ready` is called once the worker serves.

        Raises KafkaError or KafkaException when there is no broker at the start, BadModule, WrongTopic, and Stuck when the
        worker cannot go on and has to be restarted.
        """
        async with self._cleanup:
            await self._connect()
            await self._join()
            ready()
            log.info("worker %s serves %s", self.id, ", ".join(self._members.groups()))
            await self._supervisor.watch(self._stop)
            log.info("worker %s stops", self.id)

    async def _connect(self) -> None:
        """Connect to the installation, start the processes of the services, and read what is in the catalogue."""
        discovering = asyncio.create_task(discover(self._plan.modules))
        self._cleanup.callback(discovering.cancel)
        connections = self._connections
        await self._cleanup.enter_async_context(connections)
        await connections.store.ensure_bucket()
        core_topics = topic_specs.core(connections.names, self._settings.partitions)
        await connections.admin.ensure(core_topics, self._settings.replication)
        self._readiness.set_services({service.name: service for service in await discovering})
        await self._start_processes()
        followers: tuple[Background, ...] = (self._services, self._pipelines, self._cancellations, self._models)
        for follower in followers:
            self._cleanup.push_async_callback(follower.stop)
        await asyncio.gather(*(follower.start() for follower in followers))
        contracts = [service.contract for service in self._readiness.services.values()]
        await publish_service_pipelines(connections, self._pipelines, contracts)
        await self._warmup.start()
        self._cleanup.push_async_callback(self._warmup.stop)

    async def _start_processes(self) -> None:
        services = list(self._readiness.services.values())
        self._cleanup.push_async_callback(self._processes.stop)
        await self._processes.start(services)
        for service in services:
            if service.slot:
                self._models.host(service.name, service.models[0], functools.partial(self._processes.load, service))
            elif service.loads:
                await self._readiness.load(service)

    async def _join(self) -> None:
        """Host what the plan names, join the groups, and announce it."""
        if self._plan.retry:
            for tier, _ in RETRY_TIERS:
                self._add_retry_tier(tier)
        if self._plan.recorder is not None:
            recorder = self._plan.recorder(self._connections)
            self._members.add("recorder", [self._connections.topic(EVENTS)], recorder, room=_RECORDER_ROOM)
            await self._start(recorder)
        if self._plan.models is not None:
            await self._start(self._plan.models(self._connections))
        if self._plan.flow:
            await self._start(self._flow)
        self._cleanup.push_async_callback(self._service_announcer.stop)
        self._cleanup.push_async_callback(self._leave)
        await self._readiness.start()
        self._cleanup.push_async_callback(self._readiness.stop)
        await self._members.start()
        self._cleanup.push_async_callback(self._state_announcer.stop)
        await asyncio.gather(self._service_announcer.start(), self._state_announcer.start())

    async def _start(self, background: Background) -> None:
        self._cleanup.push_async_callback(background.stop)
        await background.start()

    def _add_retry_tier(self, tier: str) -> None:
        names = self._connections.names
        forwarder = RetryForwarder(self._connections.producer, names, tier, lambda: member.generation)
        # A rebalance need not wait for records that wait here: the next owner of the partition waits for them.
        member = self._members.add(f"retry.{tier}", [names.retry(tier)], forwarder, room=RETRY_ROOM, patience=0)

    async def _leave(self) -> None:
        """Leave the groups once work in progress has ended; the services are withdrawn from the catalogue after that."""
        await self._members.stop(GRACE)
        await asyncio.gather(self._host.release(), self._flow.release(), return_exceptions=True)

    def _pipeline_changed(self, _: str) -> None:
        self._flow.look()
        self._warmup.look()

    def _model_changed(self) -> None:
        self._readiness.look()
        self._announce_soon()

    def _discovered_again(self, service: DiscoveredService) -> None:
        if service.slot:
            self._models.reship(service.name, service.models[0])

    def _announce_soon(self) -> None:
        self._service_announcer.soon()

    def _announce_changes(self) -> None:
        if self._supervisor.outdated():
            self._state_announcer.soon()
        if self._announcements.outdated():
            self._announce_soon()
