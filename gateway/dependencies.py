"""What the routes of one gateway share: made once, connected in the background, closed at the end."""

import asyncio
import contextlib
import dataclasses
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Self

from aiokafka.errors import KafkaError
from fastapi import Depends, Request

from gateway.api.auth import Authenticator
from gateway.api.limits import Limits
from gateway.api.problems import Kind, Problem
from gateway.callbacks.delivery import Callbacks
from gateway.catalogue.isolated_compile import IsolatedCompiler
from gateway.data.history import Counts, History, HistoryUnavailable
from gateway.data.logged_event import run_of
from gateway.data.objects import Objects
from gateway.data.render import event_json
from gateway.following.event_tail import EventTail
from gateway.following.run_cache import RunCache
from gateway.following.run_events import RunEvents
from gateway.following.stream import RunStreams
from gateway.monitoring import kafka_pulse as pulse
from gateway.monitoring.health import Health
from gateway.monitoring.kafka_pulse import KafkaPulse
from gateway.monitoring.metrics import Metrics
from gateway.submission.sender import Sender
from gateway.submission.submit import Submissions
from gateway.submission.uploads import UploadSlots
from streams.messages import EventKind
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.catalogue.schema_warmup import SchemaWarmup
from streams.runtime.catalogue.services import Services
from streams.runtime.connections.connections import Connections
from streams.runtime.kafka.partitioner import partition_of
from streams.runtime.retrying import delays
from streams.runtime.worker.worker_health import WorkerStates
from streams.settings import Settings
from streams.wire import topics
from streams.wire.codec import Wire
from streams.wire.records import Place, Record

log = logging.getLogger(__name__)

READERS = "readers"
"""What is missing when workers cannot read what they are to read."""
_COUNTS = 5.0
"""Seconds for which statistics are not asked for again."""


@dataclass
class Parts:
    """An async context manager: entering starts to connect, and calls are served as far as the parts are there."""

    settings: Settings
    limits: Limits
    keeper: Authenticator
    metrics: Metrics
    connections: Connections
    objects: Objects
    store: History
    index: RunCache
    tail: EventTail
    journal: RunEvents
    streams: RunStreams
    sender: Sender
    submissions: Submissions
    services: Services
    workforce: WorkerStates
    pipelines: Pipelines
    warmth: SchemaWarmup
    callbacks: Callbacks
    compiling: IsolatedCompiler
    uploads: UploadSlots
    connected: bool = False
    health: Health = field(init=False)
    pulse: KafkaPulse = field(init=False)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _counts: tuple[float, Counts | None] = (-_COUNTS, None)

    @classmethod
    def of(cls, settings: Settings, limits: Limits, keeper: Authenticator) -> Self:
        """The parts that these settings lead to, not connected yet."""
        objects = Objects(settings)
        plain = Connections.of(settings, "gateway")
        # With a store that answers an outage with an error, where the worker's own waits: a client is waiting here.
        wire = Wire(plain.codec, plain.names, objects, "gateway")
        plain.store.close()
        connections = dataclasses.replace(plain, store=objects, wire=wire)
        metrics, index, store = Metrics(), RunCache(limits.index), History(settings.postgres)

        def seen(record: Record, kind: EventKind) -> None:
            metrics.events.labels(kind.value).inc()
            if kind.terminal:
                callbacks.told(run_of(record) or "")

        topic = connections.topic(topics.EVENTS)
        tail = EventTail(
            settings.brokers,
            topic,
            index,
            connections.offsets,
            lookback=limits.lookback,
            most=limits.lookback_records,
            seen=seen,
        )

        def partition(run: str) -> int:
            if not tail.partitions:
                raise tail.away()
            return partition_of(run, tail.partitions)

        journal = RunEvents(index, tail, store, settings.brokers, topic, partition, decoder(wire))
        callbacks = Callbacks(store, journal, metrics, keeper.key, limits.callbacks.split(","), limits.callback_tries)
        pipelines = Pipelines(connections, changed=lambda _: warmth.look())
        warmth = SchemaWarmup(connections, pipelines)
        sender = Sender(connections.producer, wire, connections.codec, connections.names)
        return cls(
            settings=settings,
            limits=limits,
            keeper=keeper,
            metrics=metrics,
            connections=connections,
            objects=objects,
            store=store,
            index=index,
            tail=tail,
            journal=journal,
            streams=RunStreams(journal, metrics, limits),
            sender=sender,
            submissions=Submissions(objects, sender, journal, tail),
            services=Services(connections),
            workforce=WorkerStates(connections),
            pipelines=pipelines,
            warmth=warmth,
            callbacks=callbacks,
            compiling=IsolatedCompiler(),
            uploads=UploadSlots(limits),
        )

    def __post_init__(self) -> None:
        events = Place(self.connections.topic(topics.EVENTS), 0)
        self.pulse = KafkaPulse(lambda: self.connections.offsets.ends([events]))
        self.health = Health(
            {
                "kafka": self._kafka,
                "registry": lambda: self.connections.registry.latest("millrace.Envelope"),
                "s3": self._s3,
                "postgres": self.store.ping,
                READERS: self._readers,
            },
            every={"kafka": pulse.EVERY},
        )

    async def __aenter__(self) -> Self:
        await self.store.__aenter__()
        self.health.start()
        self._tasks.append(asyncio.create_task(self._connect(), name="connect"))
        self._tasks.append(asyncio.create_task(self.callbacks.deliver(), name="callbacks"))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.health.stop()
        await self.pulse.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.compiling.stop()
        for stop in (
            self.warmth.stop,
            self.workforce.stop,
            self.tail.stop,
            self.services.stop,
            self.pipelines.stop,
            self.connections.close,
        ):
            with contextlib.suppress(KafkaError, OSError):
                await stop()
        await self.store.__aexit__()

    async def _connect(self) -> None:
        """Connects what refuses to begin without a broker, as often as it takes."""
        for start in (self.connections.producer.start, self.connections.offsets.start):
            await _insist(start)
        self.tail.start()
        await asyncio.gather(self.services.start(), self.pipelines.start(), self.workforce.start())
        self.connected = True
        await self.warmth.start()

    async def counts(self) -> Counts | None:
        """Statistics over all runs, at most a few seconds old; None while the history is away."""
        now = time.monotonic()
        if now - self._counts[0] > _COUNTS:
            self._counts = now, self._counts[1]
            try:
                seen = self.tail.positions  # before the question: what comes meanwhile is nobody's delay
                counts = await self.store.counts()
                behind = sum(max(0, end - counts.reach.get(number, 0)) for number, end in seen.items())
                self._counts = now, dataclasses.replace(counts, behind=behind)
            except HistoryUnavailable:
                self._counts = now, None
        return self._counts[1]

    async def _kafka(self) -> None:
        if not self.tail.ready.is_set():
            raise OSError("the log of events has not been read to its end yet, or its topic is missing")
        if not self.connected:
            raise OSError(
                "the catalogues of services and pipelines have not been read yet, or their topics are missing"
            )
        await self.pulse.check()

    async def _readers(self) -> None:
        if troubles := self.workforce.troubles():
            raise OSError("; ".join(map(str, troubles)))

    async def _s3(self) -> None:
        if not await self.objects.healthy():
            raise OSError(f"the bucket {self.objects.bucket} does not answer")


async def _insist(start: Callable[[], Awaitable[None]]) -> None:
    for delay in delays():
        try:
            await start()
            return
        except (KafkaError, OSError) as error:
            log.warning("Kafka does not answer (%s): trying again", error)
        await asyncio.sleep(delay)


def decoder(wire: Wire) -> Callable[[Record], Awaitable[bytes]]:
    """Makes clients' JSON of an event's record."""

    async def decode(record: Record) -> bytes:
        told = await wire.read_event(record)
        event = told.event
        more = {} if event.vertex else {"pipeline": event.run.pipeline, "digest": event.run.digest}
        return event_json(
            event.run.id, event.kind.value, event.vertex, event.path, told.at, event.attempt, event.data, **more
        )

    return decode


def parts_of(request: Request) -> Parts:
    """The parts of the gateway that serves this request."""
    parts: Parts = request.app.state.parts
    return parts


def connected(request: Request) -> Parts:
    """The same, once the catalogues have been read: before that, nobody can say what there is. Raises Problem (503)."""
    parts = parts_of(request)
    if not parts.connected:
        raise Problem(
            Kind.AWAY, "The catalogues of services and pipelines have not been read yet.", headers={"Retry-After": "1"}
        )
    return parts


Shared = Depends(parts_of)
"""The default of a route's parameter that takes the parts."""
Connected = Depends(connected)
"""The same for a route that needs the catalogues."""
