"""One gateway in memory with a client, and what stands behind it played by the test: flow, agents, the recorder."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from gateway.api.auth import Authenticator
from gateway.api.limits import Limits
from gateway.app import build_app
from gateway.catalogue.isolated_compile import IsolatedCompiler
from gateway.components import Access, Backends, Components, Stores
from schemas.contracts import Contract
from schemas.encoding.codec import Codec
from streams.lifecycle import EventKind
from streams.messages import Event, Run
from streams.runtime.catalogue.announcements import Announcement, Announcer
from streams.runtime.kafka.log_appender import LogAppender
from streams.runtime.pool.executors import CallResult
from streams.runtime.retrying import Outages
from streams.wire import topics
from streams.wire.codec import Wire
from streams.wire.records import Outgoing, Record
from streams.wire.topics import Topics
from tests.unit.gateway.memory.kafka import (
    MemoryAdmin,
    MemoryConnections,
    MemoryLog,
    MemoryOffsets,
    MemoryProducer,
    MemoryReader,
    MemorySchemaRegistry,
    memory_settings,
)
from tests.unit.gateway.memory.stores import (
    MemoryCallbacks,
    MemoryHistory,
    MemoryModels,
    MemoryNotices,
    MemoryObjects,
    MemoryPredictions,
)

KEY = "the-key-of-unit-tests"
YAML = {"content-type": "application/yaml"}
GREET = """
pipeline: greet
summary: Says hello
input:
  name: {type: string, summary: Whom to greet}
  times: {type: int, default: 1, minimum: 1, maximum: 9}
nodes:
  hello: {value: "${'hello ' + name}"}
output: {text: "${hello}"}
"""


class InlinePool:
    """Calls functions in this process, without limits."""

    async def run(self, function: Callable[..., Any], *arguments: Any, seconds: float, memory: int) -> CallResult:
        """Call a function."""
        return CallResult(function(*arguments))

    async def stop(self) -> None:
        """Do nothing."""


@dataclass
class MemoryGateway:
    """A running gateway. `http` sends the key; everything on the gateway's own loop goes through `call`."""

    http: TestClient
    components: Components
    log: MemoryLog
    connections: MemoryConnections
    history: MemoryHistory
    predictions: MemoryPredictions
    notices: MemoryNotices
    callbacks: MemoryCallbacks
    models: MemoryModels
    objects: MemoryObjects
    announcers: list[Announcer] = field(default_factory=list)

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call an async function on the gateway's loop."""
        assert self.http.portal is not None
        return self.http.portal.call(function, *arguments)

    def announce(self, *contracts: Contract, worker: str = "w1", **fields: Any) -> None:
        """Announce a worker of these services."""
        announcements = [Announcement(each.name, worker, each, time.time(), **fields) for each in contracts]
        self.call(Announcer(self.connections, lambda: announcements).announce)
        services = self.components.catalogues.services
        wait_for(lambda: all(services.workers(each.name) for each in contracts))

    def define(self, text: str, **params: Any) -> Any:
        """PUT a pipeline under its own name."""
        name = next(line.split()[1] for line in text.splitlines() if line.startswith("pipeline:"))
        return self.http.put(f"/pipelines/{name}", content=text, headers=YAML, params=params)

    def submit(self, pipeline: str = "greet", **more: Any) -> Run:
        """Submit a run; it is accepted."""
        more.setdefault("json", {"name": "Ada"})
        answer = self.http.post(f"/pipelines/{pipeline}/runs", **more)
        assert answer.status_code == 202, answer.text
        return self.run(answer.json()["id"], pipeline)

    def run(self, identity: str, pipeline: str = "greet") -> Run:
        """Return a run as messages name it."""
        version = self.components.catalogues.pipelines.version(pipeline)
        return Run(identity, pipeline, version.digest if version else "d" * 64, 2e9)

    def emit(self, *events: Event) -> None:
        """Publish events as flow and the workers do."""

        async def send() -> None:
            for event in events:
                await self.connections.producer.send(await self.connections.wire.event(event))

        self.call(send)

    def finish(self, run: Run, output: Mapping[str, Any] | None = None) -> None:
        """End a run well."""
        self.emit(Event(run, EventKind.RUN_FINISHED, data={"output": output or {"text": "hello Ada"}}))

    def fail(self, run: Run, **failure: Any) -> None:
        """End a run badly."""
        self.emit(Event(run, EventKind.RUN_FAILED, data=failure))

    def sent(self, topic: str) -> list[Record]:
        """Return the records of a topic of `streams.wire.topics` or of a pipeline."""
        return self.log.topic(self.connections.topic(topic))

    def publish(self, record: Outgoing) -> None:
        """Append a record to the log."""
        self.call(self.connections.producer.send, record)


def wait_for(condition: Callable[[], Any], seconds: float = 5.0) -> None:
    """Wait until a condition holds; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.001)


@contextmanager
def memory_gateway(home: Path, limits: Limits | None = None, *, straight: bool = False) -> Iterator[MemoryGateway]:
    """Run a gateway in memory. Tests play flow; with `straight`, the gateway begins runs where it can."""
    settings = memory_settings(home=home, straight_runs=straight)
    log, registry, names = MemoryLog(), MemorySchemaRegistry(), Topics(settings.topic_prefix)
    objects, codec = MemoryObjects(settings), Codec(registry)
    producer = MemoryProducer(settings.brokers, log)
    connections = MemoryConnections(
        settings=settings,
        names=names,
        outages=Outages(),
        registry=registry,
        codec=codec,
        store=objects,
        producer=producer,
        event_log=LogAppender(producer, names.named(topics.EVENTS)),
        offsets=MemoryOffsets(settings.brokers, log),
        admin=MemoryAdmin(settings.brokers),
        wire=Wire(codec, names, objects, "gateway"),
        log=log,
    )
    history, predictions, notices = MemoryHistory(), MemoryPredictions(), MemoryNotices()
    callbacks, models = MemoryCallbacks(), MemoryModels(settings)
    backends = Backends(
        connections=connections,
        stores=Stores(history, objects, predictions, notices, callbacks, models),
        lifespan=nullcontext,
        compiler=IsolatedCompiler(InlinePool()),
        open_reader=lambda _, starts: MemoryReader(log, starts),
        open_offsets=lambda: MemoryOffsets(settings.brokers, log),
    )
    components = Components(Access(settings, limits or Limits(), Authenticator(KEY)), backends)
    headers = {"authorization": f"Bearer {KEY}"}
    with TestClient(
        build_app(components), base_url="http://127.0.0.1:8000", headers=headers, raise_server_exceptions=False
    ) as http:
        wait_for(lambda: components.connection.connected and components.following.tail.ready.is_set())
        yield MemoryGateway(
            http, components, log, connections, history, predictions, notices, callbacks, models, objects
        )
