"""One worker process: hosts services and agents as members of their groups, announces them, watches them, and ends cleanly."""

import asyncio
import contextlib
import functools
import json
import logging
import os
import socket
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psutil
from aiokafka.errors import KafkaError

from schemas.contracts import Contract
from streams.compile import automatic, compile_spec
from streams.reader_trouble import Trouble
from streams.runtime.catalogue.announcements import Announcement, Announcer
from streams.runtime.catalogue.pipeline_topics import ensure_topics
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.catalogue.schema_warmup import SchemaWarmup
from streams.runtime.catalogue.services import Services
from streams.runtime.catalogue.version import Owner
from streams.runtime.catalogue.writer import CatalogueWriter
from streams.runtime.connections.connections import Connections
from streams.runtime.connections.dead_letters import DeadLetters
from streams.runtime.connections.publish import Publisher
from streams.runtime.delivery.guard import guarded
from streams.runtime.delivery.redelivery import DeliveryCounter, ExclusiveTurns
from streams.runtime.delivery.retry_forwarder import ROOM as RETRY_ROOM
from streams.runtime.delivery.retry_forwarder import RetryForwarder
from streams.runtime.errors import Stuck
from streams.runtime.flow.handler import FlowHandler
from streams.runtime.kafka.group_member import REBALANCE_PATIENCE, GroupMember, MemberOptions
from streams.runtime.models.models import Models
from streams.runtime.pool.async_child import AsyncChild
from streams.runtime.pool.batches import Batches
from streams.runtime.pool.executors import CallResult, Executor
from streams.runtime.pool.pool import Pool
from streams.runtime.worker.cancellations import Cancellations
from streams.runtime.worker.discover import DiscoveredService, discover
from streams.runtime.worker.liveness import Liveness
from streams.runtime.worker.service_readiness import ServiceReadiness
from streams.runtime.worker.task import HostedService, TaskHandler
from streams.runtime.worker.unserved_tasks import UnservedTasks
from streams.runtime.worker.worker_health import WorkerState
from streams.service.child_calls import load, load_waiting
from streams.service.model_status import ModelStatus, summarise
from streams.settings import Settings
from streams.wire import topic_specs
from streams.wire.records import Handler, Place
from streams.wire.topics import EVENTS, RETRY_TIERS, TOKENS, WORKERS

log = logging.getLogger(__name__)

GRACE = 20.0
"""Seconds that work under way gets at a stop."""
_STORE = 5.0
"""Seconds that flow waits for the store to say who had its partitions: most runs need nothing else of it."""
_FLOW_ROOM = 2048
"""Messages that flow has in work: what waits for its run's turn must leave room for those of other runs."""
_CHECK_EVERY = 5.0
_LOADING = 60.0
"""Seconds that loading a model may take, at least."""


class Background(Protocol):
    """What goes on by itself, as `agents.workers.model_watcher` does."""

    async def start(self) -> None:
        """Begins."""

    async def stop(self) -> None:
        """Ends."""


class Recorder(Background, Protocol):
    """What records events: `agents.workers.recorder`, which knows PostgreSQL."""

    async def __call__(self, record: Any) -> None:
        """Records one event."""


@dataclass(frozen=True)
class Plan:
    """What a worker hosts: modules of services, and agents by name."""

    modules: tuple[str, ...] = ()
    flow: bool = False
    retry: bool = False
    recorder: Callable[[Connections], Recorder] | None = None
    models: Callable[[Connections], Background] | None = None


class Worker:
    """A worker. `run` returns when it was asked to stop; it raises Stuck when it cannot go on, to be started again."""

    def __init__(self, settings: Settings, plan: Plan) -> None:
        self.id = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self._settings = settings
        self._plan = plan
        self._parts = Connections.of(settings, source=f"worker/{self.id}")
        self._stop = asyncio.Event()
        self._members: list[GroupMember] = []
        self._handlers: dict[str, TaskHandler] = {}
        self._watches: list[DeliveryCounter] = []
        self._turns = ExclusiveTurns()
        self._changed = asyncio.Event()
        self._pipelines = Pipelines(self._parts, changed=self._pipeline_changed)
        self._warmth = SchemaWarmup(self._parts, self._pipelines)
        self._services = Services(self._parts)
        self._letters = DeadLetters(self._parts)
        self._publisher = Publisher(self._parts, self._services.absent)
        self._aborts = Cancellations(self._parts)
        self._models = Models(self._parts, self._model_changed)
        self._abilities = ServiceReadiness(
            self._model_statuses, lambda one: self._load(one, ""), self._serve, self._asked_again
        )
        self._flow = FlowHandler(self._parts, self._pipelines, self._publisher, self._letters)
        self._pool: Pool | None = None
        self._waiting: AsyncChild | None = None
        self._announcer: Announcer | None = None
        self._state: Announcer | None = None
        self._troubled: tuple[Trouble, ...] = ()
        """What the readers' troubles were when that was announced last."""
        self._told_of: frozenset[tuple[str, str]] = frozenset()
        """What the last announcement told of: which service waits for which part."""
        self._joined = False
        """Whether what can serve from the start has joined its groups."""
        self._silenced = False
        """Whether it was said that its health cannot be written."""
        self._cleanup = contextlib.AsyncExitStack()

    def stop(self) -> None:
        """Asks it to stop."""
        self._stop.set()

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Connects, serves until `stop`, and leaves nothing behind. `ready` is called when it serves.

        Raises KafkaError or KafkaException when there is no broker at the start, BadModule, WrongTopic, Stuck.
        """
        async with self._cleanup:
            await self._connect()
            await self._join()
            ready()
            log.info("worker %s serves %s", self.id, ", ".join(member.group for member in self._members))
            await self._watch()
            log.info("worker %s stops", self.id)

    # Starting --------------------------------------------------------------------------------------------------

    async def _connect(self) -> None:
        discovering = asyncio.create_task(discover(self._plan.modules))
        self._cleanup.callback(discovering.cancel)
        await self._cleanup.enter_async_context(self._parts)
        await self._parts.store.ensure_bucket()
        names, count = self._parts.names, self._settings.partitions
        await self._parts.admin.ensure(topic_specs.core(names, count), self._settings.replication)
        self._abilities.know({one.contract["name"]: one for one in await discovering})
        await self._start_bodies()
        followers = (self._services, self._pipelines, self._aborts, self._models)
        for part in followers:
            self._cleanup.push_async_callback(part.stop)
        await asyncio.gather(*(part.start() for part in followers))
        await self._publish_automatic()
        await self._warmth.start()
        self._cleanup.push_async_callback(self._warmth.stop)

    def _pipeline_changed(self, _: str) -> None:
        self._changed.set()
        self._warmth.look()

    async def _start_bodies(self) -> None:
        """Starts the processes in which the services run: those that compute, and those that wait for others."""
        computing = [module for one in self._found if not one.waits for module in (one.module, *one.preload)]
        waiting = [one for one in self._found if one.waits]
        if computing:
            self._pool = Pool(self._settings.workers, dict.fromkeys(computing))
            self._cleanup.push_async_callback(self._pool.stop)
            await self._pool.start()
        if waiting:
            memory = max(Contract.from_json(one.contract).memory for one in waiting)
            self._waiting = AsyncChild({one.module for one in waiting}, memory)
            self._cleanup.push_async_callback(self._waiting.stop)
            await self._waiting.start()
        for one in self._found:
            if one.slot:
                self._models.host(one.contract["name"], one.models[0], functools.partial(self._load, one))
            elif one.loads:
                await self._abilities.load(one)

    def _asked_again(self, one: DiscoveredService) -> None:
        if one.slot:
            self._models.reship(one.contract["name"], one.models[0])

    async def _load(self, one: DiscoveredService, folder: str) -> CallResult:
        """Loads a model of a service where its calls run."""
        contract = Contract.from_json(one.contract)
        function = load_waiting if one.waits else load
        seconds = max(_LOADING, contract.timeout)
        return await self._bodies(one).prepare(
            contract.name, function, one.module, contract.name, folder, seconds=seconds, memory=contract.memory
        )

    def _bodies(self, one: DiscoveredService) -> Executor:
        """Where the calls of a service run."""
        if one.waits:
            assert self._waiting is not None
            return self._waiting
        assert self._pool is not None
        return self._pool if one.batch == 1 else Batches(self._pool, one.batch, together=one.many)

    @property
    def _found(self) -> list[DiscoveredService]:
        return list(self._abilities.found.values())

    def _model_changed(self) -> None:
        self._abilities.look()
        if self._announcer is not None:
            self._announcer.soon()

    async def _publish_automatic(self) -> None:
        """Every service is also a pipeline of one node with its name."""
        topologies = []
        for one in self._found:
            contract = Contract.from_json(one.contract)
            spec = automatic(contract)
            topologies.append((compile_spec(spec, {contract.name: contract}), spec.source.text))
        await ensure_topics(self._parts, [topology for topology, _ in topologies])
        writer = CatalogueWriter(self._parts, self._pipelines)
        for topology, text in topologies:
            await writer.publish(topology, text, Owner.GIT)

    async def _join(self) -> None:
        if self._plan.retry:
            for tier, _ in RETRY_TIERS:
                self._host_retry(tier)
        if self._plan.recorder is not None:
            recorder = self._plan.recorder(self._parts)
            self._host("recorder", [self._parts.topic(EVENTS)], recorder, room=2000)
            await self._begin(recorder.start, recorder.stop)
        if self._plan.models is not None:
            watcher = self._plan.models(self._parts)
            await self._begin(watcher.start, watcher.stop)
        if self._plan.flow:
            await self._host_flow()
        announcer = self._announcer = Announcer(self._parts, self._announcements, self._settings.announce)
        self._cleanup.push_async_callback(announcer.stop)
        self._cleanup.push_async_callback(self._leave)
        await self._abilities.start()
        self._cleanup.push_async_callback(self._abilities.stop)
        await asyncio.gather(*(member.start() for member in self._members))
        self._joined = True
        self._state = Announcer(self._parts, lambda: [self._now()], self._settings.announce, WORKERS, "WorkerState")
        self._cleanup.push_async_callback(self._state.stop)
        await asyncio.gather(announcer.start(), self._state.start())

    async def _begin(self, start: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]]) -> None:
        self._cleanup.push_async_callback(stop)
        await start()

    def _host(
        self,
        name: str,
        topics: Sequence[str],
        handle: Handler,
        *,
        room: int,
        patience: float = REBALANCE_PATIENCE,
        on_generation: Callable[[], None] | None = None,
        allowed: Callable[[], float] = lambda: 0.0,
    ) -> GroupMember:
        member = GroupMember(
            self._parts.group(name),
            topics,
            guarded(handle, self._letters, name),
            self._settings.brokers,
            MemberOptions(room, patience, on_generation, allowed),
        )
        self._members.append(member)
        return member

    async def _serve(self, one: DiscoveredService) -> None:
        """Has a service take tasks: with all the others at the start, or later when it can."""
        member = self._host_service(one)
        if self._joined and self._announcer is not None:
            try:
                await member.start()
            except (KafkaError, OSError) as error:
                member.broken(f"it cannot join its group: {error}")
            self._announcer.soon()

    def _host_service(self, one: DiscoveredService) -> GroupMember:
        bodies = self._bodies(one)
        hosted = HostedService(one.module, Contract.from_json(one.contract), one.waits, one.repeatable)
        contract = hosted.contract
        group = self._parts.group(contract.name)
        watch = DeliveryCounter(self._parts, self.id, group, self._turns, lambda: member.partitions)
        handler = TaskHandler(
            hosted,
            self._parts,
            bodies,
            self._pipelines,
            self._publisher,
            self._aborts,
            self._letters,
            watch,
            functools.partial(self._models.folder, contract.name),
        )
        self._handlers[contract.name] = handler
        topic = self._parts.names.tasks(contract.name, contract.major)
        # Enough to fetch and store objects while the pool computes, not so much that memory fills with objects.
        room = self._size(one) if one.waits else max(4, 2 * one.batch) * self._size(one) + 4
        member = self._host(
            contract.name,
            [topic],
            handler,
            room=room,
            on_generation=watch.take_over,
            allowed=lambda: handler.allowed,
        )
        self._watches.append(watch)
        return member

    def _size(self, one: DiscoveredService) -> int:
        """How many calls of a service run at once."""
        bodies = self._waiting if one.waits else self._pool
        return bodies.size if bodies is not None else 1

    def _host_retry(self, tier: str) -> None:
        # What waits here need not be waited for: whoever has the partition next waits for it.
        names = self._parts.names
        handler = RetryForwarder(self._parts.producer, names, tier, lambda: member.generation)
        member = self._host(f"retry.{tier}", [names.retry(tier)], handler, room=RETRY_ROOM, patience=0)

    async def _host_flow(self) -> None:
        flow = self._flow
        topics = flow.topics()
        group = self._parts.group("flow")
        watch = flow.watch = DeliveryCounter(
            self._parts, self.id, group, ExclusiveTurns(), lambda: flow.member.partitions, _STORE
        )
        self._watches.append(watch)

        def assigned() -> None:
            watch.take_over()
            flow.assigned()

        flow.member = self._host("flow", sorted(topics), flow.handle, room=_FLOW_ROOM, on_generation=assigned)
        await flow.requests.know(topics)
        await self._begin(flow.start, flow.stop)
        first = Place(self._parts.topic(TOKENS), 0)
        vacancies = UnservedTasks(
            self._parts,
            self._pipelines,
            self._services,
            self._publisher,
            self._aborts,
            lambda: first in flow.member.assigned,
        )
        await self._begin(vacancies.start, vacancies.stop)
        following = asyncio.create_task(self._follow(), name="new pipelines")
        self._cleanup.callback(following.cancel)

    async def _follow(self) -> None:
        """Reads the requests of pipelines that appear while flow runs."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            topics = self._flow.topics()
            if topics - self._flow.member.topics:
                await self._flow.requests.know(topics)
                await self._flow.member.subscribe(topics)

    def _now(self) -> WorkerState:
        troubles = self._troubled = self._troubles()
        groups = tuple(member.group for member in self._members)
        return WorkerState(self.id, time.time(), self._settings.announce, groups, troubles)

    def _troubles(self) -> tuple[Trouble, ...]:
        return tuple(member.trouble for member in self._members if member.trouble is not None)

    # Serving ---------------------------------------------------------------------------------------------------

    def _announcements(self) -> list[Announcement]:
        memory = _resident()
        made = []
        for one in self._found:
            contract = Contract.from_json(one.contract)
            name = contract.name
            models = summarise(self._model_statuses(one))
            problems = dict.fromkeys((models.problem, one.check, one.remark, self._abilities.problem(name)))
            made.append(
                Announcement(
                    service=name,
                    worker=self.id,
                    contract=contract,
                    at=time.time(),
                    period=self._settings.announce,
                    running=self._handlers[name].running if name in self._handlers else 0,
                    capacity=self._size(one),
                    memory=memory,
                    model=models.model,
                    model_version=models.model_version,
                    problem="; ".join(filter(None, problems)) or None,
                    able=self._abilities.takes(name),
                    waiting_for=self._parts.outages.of(name),
                )
            )
        self._told_of = self._waits()
        return made

    def _waits(self) -> frozenset[tuple[str, str]]:
        """Which service waits for which part."""
        return frozenset((name, part) for name in self._abilities.found for part in self._parts.outages.of(name))

    def _model_statuses(self, one: DiscoveredService) -> tuple[ModelStatus, ...]:
        serving = self._models.status(one.contract["name"])
        return one.models if serving is None else (serving, *one.models[1:])

    async def _watch(self) -> None:
        liveness = Liveness(self._members, self._parts.offsets, self._parts.outages)
        stopped = asyncio.create_task(self._stop.wait())
        failures: list[asyncio.Task[bool]] = []
        path = self._settings.home / "workers" / f"{self.id}.json"
        try:
            while True:
                # Anew each time: a service that could not serve at the start may have joined meanwhile.
                failures = [asyncio.create_task(member.failed.wait()) for member in self._members]
                done, _ = await asyncio.wait(
                    [stopped, *failures], timeout=_CHECK_EVERY, return_when=asyncio.FIRST_COMPLETED
                )
                for task in failures:
                    task.cancel()
                if stopped in done:
                    return
                for member in self._members:
                    if member.failure is not None:
                        raise Stuck(member.failure)
                self._say_health(path, await self._health(liveness))
                if self._state is not None and self._troubled != self._troubles():
                    self._state.soon()
                if self._announcer is not None and self._told_of != self._waits():
                    self._announcer.soon()
        finally:
            for task in (stopped, *failures):
                task.cancel()
            with contextlib.suppress(OSError):
                path.unlink()

    def _say_health(self, path: Path, health: Mapping[str, Any]) -> None:
        """A disk that is full, or a folder that somebody took away, is no reason to end work."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, health)
        except OSError as error:
            if not self._silenced:
                log.warning("how this worker is cannot be written to %s: %s", path, error)
            self._silenced = True
        else:
            self._silenced = False

    async def _health(self, liveness: Liveness) -> dict[str, Any]:
        lags = await liveness.check()
        return {
            "worker": self.id,
            "pid": os.getpid(),
            "at": time.time(),
            "waiting_for": self._parts.outages.now(),
            "troubles": [one.to_json() for one in self._troubles()],
            "groups": {
                member.group: {
                    "lag": lags[member.group],
                    "partitions": len(member.assigned),
                    "in_flight": member.acks.in_flight,
                    "finished": member.acks.settled,
                }
                for member in self._members
            },
        }

    # Stopping --------------------------------------------------------------------------------------------------

    async def _leave(self) -> None:
        """Fetches nothing more, lets work under way end, acknowledges it and leaves the groups; then it is withdrawn."""
        await asyncio.gather(*(member.stop(GRACE) for member in self._members), return_exceptions=True)
        await asyncio.gather(*(watch.leave() for watch in self._watches), return_exceptions=True)


def _resident() -> int:
    """Bytes of memory that this process and its children hold."""
    process = psutil.Process()
    total = 0
    for one in [process, *process.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            total += one.memory_info().rss
    return total


def _write(path: Path, health: Mapping[str, Any]) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(health))
    fresh.replace(path)
