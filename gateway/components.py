"""The components of one gateway, grouped by idea, and how they are built and connected.

Routes take single components from `gateway.dependencies`. The systems behind them (Kafka, the schema registry, S3, PostgreSQL)
are a `Backends`; unit tests have one in memory.
"""

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from aiokafka.errors import KafkaError

from gateway.api.auth import Authenticator
from gateway.api.limits import Limits
from gateway.callbacks.delivery import Callbacks
from gateway.callbacks.store import StoredCallbacks
from gateway.catalogue.catalogue import Catalogue
from gateway.catalogue.definitions import Definitions
from gateway.catalogue.isolated_compile import IsolatedCompiler
from gateway.connecting import BackgroundConnection
from gateway.data.history import History
from gateway.data.interfaces import CallbackStore, NoticeStore, PredictionStore, RunHistory
from gateway.data.logged_event import run_of
from gateway.data.models import ModelVersions
from gateway.data.notices import Notices
from gateway.data.objects import Objects
from gateway.data.predictions import Predictions
from gateway.following.event_log import EventLog
from gateway.following.event_tail import EventTail, OpenReader
from gateway.following.explain import Explainer
from gateway.following.run_cache import RunCache
from gateway.following.run_events import RunEvents
from gateway.following.run_streams import RunStreams
from gateway.monitoring import kafka_pulse
from gateway.monitoring.health import READERS, Check, Health
from gateway.monitoring.kafka_pulse import KafkaPulse
from gateway.monitoring.metrics import Metrics
from gateway.monitoring.statistics import Statistics
from gateway.submission.answers import RunAnswers
from gateway.submission.inputs import InputReader
from gateway.submission.intake import RunIntake
from gateway.submission.replay import Replayer
from gateway.submission.sender import Sender
from gateway.submission.straight_starts import StraightStarts
from gateway.submission.submit import Submissions
from gateway.submission.uploads import UploadSlots
from streams.messages import EventKind
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.catalogue.schema_warmup import SchemaWarmup
from streams.runtime.catalogue.services import Services
from streams.runtime.catalogue.writer import CatalogueWriter
from streams.runtime.connections.connections import Connections
from streams.runtime.connections.dead_letters import DeadLetters
from streams.runtime.kafka.offsets import Offsets
from streams.runtime.kafka.reading.reader import PartitionReader
from streams.runtime.worker.health.worker_states import WorkerStates
from streams.settings import Settings
from streams.wire import topics
from streams.wire.codec import Wire
from streams.wire.records import Place, Record


@dataclass(frozen=True)
class Access:
    """Who may call, and how much."""

    settings: Settings
    limits: Limits
    authenticator: Authenticator


@dataclass(frozen=True)
class Stores:
    """What was kept of runs."""

    history: RunHistory
    objects: Objects
    predictions: PredictionStore
    notices: NoticeStore
    callbacks: CallbackStore
    models: ModelVersions


@dataclass(frozen=True)
class Backends:
    """The systems behind a gateway, not connected yet."""

    connections: Connections
    stores: Stores
    lifespan: Callable[[], contextlib.AbstractAsyncContextManager[object]]
    """Opens the stores while a gateway runs."""
    compiler: IsolatedCompiler
    open_reader: OpenReader
    open_offsets: Callable[[], Offsets]

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the backends that these settings name."""
        objects = Objects(settings)
        plain = Connections.of(settings, "gateway")
        # The worker's store waits during an outage; this one raises an error, because a client is waiting.
        wire = Wire(plain.codec, plain.names, objects, "gateway")
        plain.store.close()
        history = History(settings.postgres)
        return cls(
            connections=dataclasses.replace(plain, store=objects, wire=wire),
            stores=Stores(
                history,
                objects,
                Predictions(history),
                Notices(history),
                StoredCallbacks(history),
                ModelVersions(settings),
            ),
            lifespan=lambda: history,
            compiler=IsolatedCompiler(),
            open_reader=lambda topic, starts: PartitionReader(settings.brokers, topic, starts),
            open_offsets=lambda: Offsets(settings.brokers),
        )


@dataclass(frozen=True)
class Following:
    """Following runs."""

    cache: RunCache
    tail: EventTail
    events: RunEvents
    streams: RunStreams


@dataclass(frozen=True)
class Catalogues:
    """What can be run, and who serves it."""

    services: Services
    pipelines: Pipelines
    worker_states: WorkerStates
    warmup: SchemaWarmup
    catalogue: Catalogue
    definitions: Definitions


@dataclass(frozen=True)
class Submission:
    """Starting, repeating and cancelling runs."""

    sender: Sender
    uploads: UploadSlots
    callbacks: Callbacks
    answers: RunAnswers
    intake: RunIntake
    replayer: Replayer


@dataclass(frozen=True)
class Monitoring:
    """How the gateway is."""

    metrics: Metrics
    statistics: Statistics
    pulse: KafkaPulse
    health: Health


class Components:
    """One gateway. An async context manager: entering starts to connect, and calls are served as far as that has come."""

    def __init__(self, access: Access, backends: Backends) -> None:
        metrics = Metrics()
        self.access = access
        self.stores = backends.stores
        self.connections = backends.connections
        self.dead_letters = DeadLetters(backends.connections)
        self.catalogues = build_catalogues(backends)
        self.following = build_following(access, backends, metrics, self._on_event)
        self.connection = BackgroundConnection(
            [backends.connections.producer.start, backends.connections.offsets.start],
            self.following.tail,
            [self.catalogues.services, self.catalogues.pipelines, self.catalogues.worker_states],
            self.catalogues.warmup,
        )
        self.monitoring = build_monitoring(backends, metrics, self.following, self.catalogues, self.connection)
        self.submission = build_submission(access, backends, self.following, self.catalogues, self.monitoring)
        self.explainer = Explainer(
            backends.connections,
            self.catalogues.pipelines,
            self.catalogues.services,
            self.catalogues.worker_states,
            self.monitoring.health.missing,
        )
        self._backends = backends
        self._deliveries: asyncio.Task[None] | None = None
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        stack = self._stack
        await stack.enter_async_context(self._backends.lifespan())
        stack.push_async_callback(self._close_connections)
        stack.push_async_callback(self.connection.stop)
        stack.push_async_callback(self._backends.compiler.stop)
        self.monitoring.health.start()
        self.connection.start()
        self._deliveries = asyncio.create_task(self.submission.callbacks.deliver(), name="callbacks")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.monitoring.health.stop()
        await self.monitoring.pulse.stop()
        if self._deliveries is not None:
            self._deliveries.cancel()
            await asyncio.gather(self._deliveries, return_exceptions=True)
        await self._stack.aclose()

    async def _close_connections(self) -> None:
        with contextlib.suppress(KafkaError, OSError):
            await self.connections.close()

    def _on_event(self, record: Record, kind: EventKind) -> None:
        self.monitoring.metrics.events.labels(kind.value).inc()
        if kind.terminal:
            self.submission.callbacks.run_ended(run_of(record) or "")


def build_catalogues(backends: Backends) -> Catalogues:
    """Build what can be run."""
    connections = backends.connections
    services = Services(connections)
    pipelines = Pipelines(connections, changed=lambda _: warmup.look())
    warmup = SchemaWarmup(connections, pipelines)
    catalogue = Catalogue(services, pipelines, CatalogueWriter(connections, pipelines))
    definitions = Definitions(catalogue, pipelines, connections, backends.compiler)
    return Catalogues(services, pipelines, WorkerStates(connections), warmup, catalogue, definitions)


def build_following(
    access: Access, backends: Backends, metrics: Metrics, listener: Callable[[Record, EventKind], None]
) -> Following:
    """Build the following of runs. `listener` is called for every new event."""
    connections, limits = backends.connections, access.limits
    topic = connections.topic(topics.EVENTS)
    cache = RunCache(limits.index)
    tail = EventTail(topic, cache, connections.offsets, backends.open_reader, limits, listener)
    event_log = EventLog(topic, connections.wire, backends.open_offsets)
    events = RunEvents(cache, tail, backends.stores.history, event_log)
    return Following(cache, tail, events, RunStreams(events, metrics, limits))


def build_submission(
    access: Access, backends: Backends, following: Following, catalogues: Catalogues, monitoring: Monitoring
) -> Submission:
    """Build the starting of runs."""
    connections, limits, owner = backends.connections, access.limits, access.authenticator.owner
    objects, events = backends.stores.objects, following.events
    sender = Sender(connections.producer, connections.wire, connections.codec, connections.names)
    straight = StraightStarts(connections, catalogues.pipelines, catalogues.services)
    uploads = UploadSlots(limits)
    allowed, key = limits.callbacks.split(","), access.authenticator.key
    callbacks = Callbacks(backends.stores.callbacks, events, monitoring.metrics, key, allowed, limits.callback_tries)
    answers = RunAnswers(events, following.streams, limits)
    intake = RunIntake(
        owner,
        catalogues.catalogue,
        InputReader(limits, objects, uploads),
        callbacks,
        Submissions(objects, sender, straight, events, following.tail),
        answers,
        monitoring.pulse,
    )
    replayer = Replayer(owner, catalogues.pipelines, events, objects, sender, monitoring.pulse)
    return Submission(sender, uploads, callbacks, answers, intake, replayer)


def build_monitoring(
    backends: Backends,
    metrics: Metrics,
    following: Following,
    catalogues: Catalogues,
    connection: BackgroundConnection,
) -> Monitoring:
    """Build the health checks and metrics."""
    connections, stores = backends.connections, backends.stores
    events = Place(connections.topic(topics.EVENTS), 0)
    pulse = KafkaPulse(lambda: connections.offsets.ends([events]))

    async def kafka() -> None:
        await connection.check()
        await pulse.check()

    async def bucket() -> None:
        if not await stores.objects.healthy():
            raise OSError(f"the bucket {stores.objects.bucket} does not answer")

    async def readers() -> None:
        if troubles := catalogues.worker_states.troubles():
            raise OSError("; ".join(map(str, troubles)))

    checks: dict[str, Check] = {
        "kafka": kafka,
        "registry": lambda: connections.registry.latest("millrace.Envelope"),
        "s3": bucket,
        "postgres": stores.history.ping,
        READERS: readers,
    }
    statistics = Statistics(stores.history, lambda: following.tail.positions)
    return Monitoring(metrics, statistics, pulse, Health(checks, every={"kafka": kafka_pulse.EVERY}))
