"""Share what the tests of the gateway need: two gateways on real parts, and a test client that plays flow, agents and recorder."""

import asyncio
import io
import json
import secrets
import threading
import time
import uuid
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import httpx
import psycopg
import pytest
from PIL import Image
from psycopg import sql

from gateway.api.limits import Limits
from gateway.app import create_app
from gateway.server import Server
from schemas.contracts import Contract
from streams.messages import Event, EventKind, Run
from streams.runtime.catalogue.announcements import Announcement, Announcer
from streams.runtime.connections.connections import Connections
from streams.runtime.kafka.partitioner import partition_of
from streams.settings import Settings
from streams.wire import topic_specs
from tests.effort import PATIENCE

T = TypeVar("T")

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
PASS = """
pipeline: pass-photo
summary: Gives a photo back
input:
  photo: image
  others: {type: [image], default: []}
  areas: {type: [{x: int, y: int}], default: []}
  strength: {type: float, default: 0.8, minimum: 0, maximum: 1}
  mode: {type: string, default: soft, enum: [soft, hard]}
nodes: {}
output: {photo: "${photo}"}
"""


def png(width: int, height: int, shade: int = 0) -> bytes:
    """A picture of one grey."""
    out = io.BytesIO()
    Image.new("L", (width, height), shade).save(out, "PNG")
    return out.getvalue()


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def __call__(self, work: Coroutine[Any, Any, T], seconds: float = 30) -> T:
        """The result of a coroutine."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    def close(self) -> None:
        """Ends the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


class Gateway:
    """One gateway in a thread of its own, on a free port."""

    def __init__(self, settings: Settings, limits: Limits | None = None) -> None:
        self.app = create_app(settings, limits)
        self._server = Server(self.app, "127.0.0.1", 0)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        self.key = (settings.home / "api-key").read_text().strip()
        wait(lambda: self._server.started or not self._thread.is_alive(), "the server starts")
        assert self._server.started
        self.url = f"http://127.0.0.1:{self._server.port}"
        self.http = self.client()

    def client(self, **headers: str) -> httpx.Client:
        """A client that sends the key."""
        return httpx.Client(base_url=self.url, timeout=20, headers={"authorization": f"Bearer {self.key}", **headers})

    def ready(self) -> "Gateway":
        """Waits until it can serve."""
        wait(lambda: self.http.get("/health/ready").status_code == 200, lambda: self.http.get("/health/ready").text)
        return self

    def end_streams(self) -> None:
        """What a stop does first."""
        self.loop.call_soon_threadsafe(self.app.components.following.streams.stop)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that it runs on."""
        assert self._server._loop is not None
        return self._server._loop

    def stop(self) -> None:
        """Ends it."""
        self.http.close()
        self._server.stop()
        self._thread.join(15)


def wait(condition: Any, what: Any = "", seconds: float = 30) -> Any:
    """The first true value of a condition; fails after so many seconds."""
    seconds *= PATIENCE
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what() if callable(what) else what}"
        time.sleep(0.02)
    return value


@dataclass
class GatewayWorld:
    """The parts, and what the tests do with them."""

    settings: Settings
    loop: Loop
    connections: Connections
    first: Gateway
    second: Gateway

    def submit(self, name: str = "greet", **more: Any) -> Run:
        """A run that the first gateway has accepted."""
        more.setdefault("json", {"name": "Ada"})
        answer = self.first.http.post(f"/pipelines/{name}/runs", **more)
        assert answer.status_code == 202, answer.text
        return self.run(answer.json()["id"], name)

    def finish(self, run: Run, output: Any = None) -> int:
        """The run ends well; the offset of its last event."""
        return self.tell(Event(run, FINISHED, data={"output": output or {"text": "hello"}}))

    def run(self, id: str | None = None, pipeline: str = "greet") -> Run:
        """A run that nobody knows yet."""
        return Run(id or str(uuid.uuid4()), pipeline, "d" * 64, 2e9)

    def tell(self, *events: Event) -> int:
        """Publishes events, one after another; the offset of the last."""

        async def send() -> int:
            last = -1
            for event in events:
                last = (await self.connections.producer.send(await self.connections.wire.event(event))).offset
            return last

        return self.loop(send())

    def record(self, run: Run, events: list[tuple[int, Event]]) -> None:
        """Writes history as the recorder does."""
        partition = partition_of(run.id, self.settings.partitions)
        ended = next((offset for offset, event in events if event.kind.terminal), None)
        with psycopg.connect(self.settings.postgres, autocommit=True) as connection:
            connection.execute(
                """insert into runs (run, pipeline, digest, status, accepted_at, updated_at, ended_at, partition,
                                     ended_sequence, output)
                   values (%s, %s, %s, %s, now(), now(), %s, %s, %s, %s)""",
                (
                    run.id, run.pipeline, run.digest, "finished" if ended is not None else "running",
                    None if ended is None else "now", partition, ended, None,
                ),
            )  # fmt: skip
            for offset, event in events:
                connection.execute(
                    """insert into events (run, sequence, partition, id, kind, node, path, attempt, at, data)
                       values (%s, %s, %s, %s, %s, %s, %s, %s, now(), %s)""",
                    (
                        run.id, offset, partition, event.id, event.kind.value, event.vertex, event.path,
                        event.attempt, json.dumps(dict(event.data)),
                    ),
                )  # fmt: skip

    def reached(self, partition: int, offset: int) -> None:
        """Says how far the history reaches, as the recorder does."""
        with psycopg.connect(self.settings.postgres, autocommit=True) as connection:
            connection.execute(
                """insert into progress (partition, next_sequence) values (%s, %s)
                   on conflict (partition) do update set next_sequence = excluded.next_sequence""",
                (partition, offset),
            )

    def announce(self, *contracts: Contract, worker: str = "w1", period: float = 30.0, **more: Any) -> Announcer:
        """A worker says that it serves these."""
        announcer = Announcer(
            self.connections,
            lambda: [Announcement(one.name, worker, one, time.time(), period, **more) for one in contracts],
        )
        self.loop(announcer.announce())
        return announcer


def database(url: str) -> tuple[str, str]:
    """A schema of its own in the database of this address: the address that leads to it, and its name."""
    name = f"gateway_{secrets.token_hex(6)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("create schema {}").format(sql.Identifier(name)))
    return f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3D{name}", name


def drop(url: str, name: str) -> None:
    """Removes a schema and all in it."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(name)))


@contextmanager
def gateway_world(settings: Settings, home: Any) -> Iterator[GatewayWorld]:
    """Two gateways on topics and a database of their own."""
    address, schema = database(settings.postgres)
    # Tests play flow, so no run may begin or end without it.
    mine = replace(
        settings,
        topic_prefix=f"gw{secrets.token_hex(4)}-",
        postgres=address,
        home=home,
        partitions=3,
        straight_runs=False,
    )
    loop = Loop()
    connections = Connections.of(mine, "test")
    loop(connections.admin.ensure(topic_specs.core(connections.names, mine.partitions)))
    loop(connections.store.ensure_bucket())
    loop(connections.__aenter__())
    gateways = [Gateway(mine) for _ in range(2)]
    try:
        for gateway in gateways:
            gateway.ready()
        yield GatewayWorld(mine, loop, connections, *gateways)
    finally:
        for gateway in gateways:
            gateway.stop()
        names = loop(connections.admin.names(mine.topic_prefix))
        loop(connections.admin.delete(names))
        loop(connections.close())
        loop.close()
        drop(settings.postgres, schema)


@pytest.fixture(scope="session")
def gateways(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    """Two gateways with the pipelines `greet` and `pass-photo`."""
    with gateway_world(settings, tmp_path_factory.mktemp("home")) as made:
        for name, text in (("greet", GREET), ("pass-photo", PASS)):
            answer = made.first.http.put(
                f"/pipelines/{name}", content=text, headers={"content-type": "application/yaml"}
            )
            assert answer.status_code == 201, answer.text
            wait(
                lambda name=name: made.second.http.get(f"/pipelines/{name}").status_code == 200, "the other one sees it"
            )
        yield made


def events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The events of an SSE stream: `{id, event, data}`; comments count as event "ping"."""
    event: dict[str, Any] = {}
    for line in lines:
        if line.startswith(":"):
            yield {"event": "ping"}
        elif line:
            name, _, value = line.partition(": ")
            event[name] = int(value) if name == "id" else json.loads(value) if name == "data" else value
        elif "event" in event:
            yield event
            event = {}
        else:
            event = {}


FINISHED, FAILED, ACCEPTED = EventKind.RUN_FINISHED, EventKind.RUN_FAILED, EventKind.ACCEPTED
