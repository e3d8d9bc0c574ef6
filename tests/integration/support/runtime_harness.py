"""Run a small installation on the brokers of the session: a topic prefix, pipelines, worker processes and a client."""

import asyncio
import contextlib
import dataclasses
import os
import re
import signal
import subprocess
import sys
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from schemas.contracts import Contract
from schemas.encoding.codec import value_subject
from streams.compile import compile_pipeline
from streams.language.topology import Topology
from streams.messages import EventKind
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.catalogue.services import Services
from streams.runtime.catalogue.version import Owner, Version
from streams.runtime.catalogue.writer import CatalogueWriter
from streams.runtime.connections.connections import Connections
from streams.runtime.kafka.topic_follower import TopicFollower
from streams.settings import Settings
from streams.wire import topic_specs
from streams.wire.codec import SentEvent
from streams.wire.records import Outgoing, Place, Record
from tests.integration.support.waiting import until

ROOT = Path(__file__).parents[3]


def isolated(settings: Settings, partitions: int = 4) -> Settings:
    """The same brokers with a prefix that nobody else has."""
    prefix = f"t{uuid.uuid4().hex[:10]}-"
    home = settings.home / prefix.strip("-")  # where its workers say how they are
    return dataclasses.replace(settings, home=home, topic_prefix=prefix, partitions=partitions, workers=1)


@dataclass
class WorkerProcess:
    """`python -m agents` as a process of its own."""

    process: subprocess.Popen[bytes]
    log: Path
    home: Path
    """Where it says how it is."""

    def kill(self) -> None:
        """Kill -9."""
        self.process.kill()
        self.process.wait()

    def hold(self) -> None:
        """SIGSTOP: it does nothing until it is let go, and is not gone."""
        self.process.send_signal(signal.SIGSTOP)

    def let_go(self) -> None:
        """SIGCONT."""
        self.process.send_signal(signal.SIGCONT)

    def end(self, seconds: float = 40) -> int:
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    @property
    def ready(self) -> bool:
        """Whether it serves. Fails when it has ended instead."""
        text = self.log.read_text(errors="replace")
        assert self.process.poll() is None, f"the worker ended with {self.process.returncode}:\n{text[-3000:]}"
        return "agents: ready" in text


@dataclass
class RuntimeHarness:
    """Entered, it has the core topics and reads every event; left, its workers are dead and its topics gone."""

    settings: Settings
    folder: Path
    follow: bool = True
    """Whether every event is read and kept."""
    instead: Settings | None = None
    """What its processes are given in place of `settings`: other ways to the same parts."""
    module: str = "agents"
    """What its processes run."""
    connections: Connections = field(init=False)
    pipelines: Pipelines = field(init=False)
    services: Services = field(init=False)
    events: dict[str, list[SentEvent]] = field(default_factory=lambda: defaultdict(list))
    workers: list[WorkerProcess] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self.connections = Connections.of(self.settings, "test")
        await self.connections.__aenter__()
        await self.connections.store.ensure_bucket()
        await self.connections.admin.ensure(topic_specs.core(self.connections.names, self.settings.partitions))
        self.pipelines, self.services = Pipelines(self.connections), Services(self.connections)
        self.writer = CatalogueWriter(self.connections, self.pipelines)
        self._tail = TopicFollower(self.settings.brokers, self.connections.events, self._take)
        await asyncio.gather(self.pipelines.start(), self.services.start())
        if self.follow:
            await self._tail.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.kill()
        await asyncio.gather(self._tail.stop(), self.pipelines.stop(), self.services.stop())
        await self.connections.admin.delete(await self.connections.admin.names(self.settings.topic_prefix))
        await self.connections.close()

    async def start(self, *names: str, **environ: str) -> WorkerProcess:
        """Starts a worker with these names and waits until it serves."""
        worker = self.launch(*names, **environ)
        await until(lambda: worker.ready, 60, f"worker {' '.join(names)}")
        return worker

    def launch(self, *names: str, **environ: str) -> WorkerProcess:
        """Starts a worker with these names."""
        log = self.folder / f"worker-{len(self.workers)}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", self.module, *names],
                cwd=ROOT,
                env={**os.environ, **(self.instead or self.settings).environ(), **environ},
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        worker = WorkerProcess(process, log, self.settings.home)
        self.workers.append(worker)
        return worker

    async def publish(self, text: str, contracts: Mapping[str, Contract] | None = None) -> Version:
        """Compiles a pipeline against the live services (or these contracts) and makes it active."""
        if contracts is None:
            used = set(re.findall(r"service: ([\w-]+)", text))
            await until(lambda: used <= self.services.contracts().keys(), 30, f"announcements of {used}")
            contracts = self.services.contracts()
        topology = compile_pipeline(text, contracts)
        return await self.writer.publish(topology, text, Owner.GIT)

    async def submit(self, pipeline: str, given: Mapping[str, Any], run: str | None = None) -> str:
        """Asks for a run as the gateway does; its id."""
        run = run or str(uuid.uuid4())
        await self.connections.producer.send(await self.request(pipeline, given, run))
        return run

    async def request(self, pipeline: str, given: Mapping[str, Any], run: str) -> Outgoing:
        """The record that asks for a run."""
        topology = self.topology(pipeline)
        topic = self.connections.names.requests(pipeline)
        value = await self.connections.codec.encode(value_subject(topic), topology.input, given)
        return Outgoing(topic, run.encode(), value, (("millrace-run", run.encode()),))

    def topology(self, pipeline: str) -> Topology:
        """The active topology of a pipeline."""
        version = self.pipelines.version(pipeline)
        assert version is not None, f"no pipeline {pipeline}"
        found = self.pipelines.topology(version.digest)
        assert found is not None
        return found

    def client_events(self, run: str) -> list[SentEvent]:
        """The events of a run as a client sees them: each id once, none after the last."""
        shown: dict[str, SentEvent] = {}
        for received in self.events[run]:
            shown.setdefault(received.id, received)
            if received.event.kind.terminal:
                break
        return list(shown.values())

    def events_of(self, run: str, kind: EventKind) -> list[SentEvent]:
        """Every delivery of this kind of event of a run."""
        return [received for received in self.events.get(run, ()) if received.event.kind is kind]

    def end(self, run: str) -> SentEvent | None:
        """The last event of a run, once it is there."""
        return next((received for received in self.events.get(run, ()) if received.event.kind.terminal), None)

    async def ended(self, run: str, seconds: float = 60) -> SentEvent:
        """Waits for a run's last event."""
        found: SentEvent = await until(lambda: self.end(run), seconds, lambda: f"the end of {run}: {self.story(run)}")
        return found

    async def output(self, run: str, seconds: float = 60) -> Any:
        """Waits for a run to finish, and gives its output."""
        last = await self.ended(run, seconds)
        assert last.event.kind is EventKind.RUN_FINISHED, last.event.data
        return last.event.data["output"]

    def story(self, run: str) -> list[str]:
        """The events of a run in short, for messages of tests."""
        return [f"{received.event.kind} {received.event.path}" for received in self.events.get(run, ())]

    async def results(self, pipeline: str) -> list[Record]:
        """Every record on a pipeline's results topic."""
        return await self.read(self.connections.names.results(pipeline))

    async def read(self, topic: str) -> list[Record]:
        """Every record of a topic."""
        ends = await self.ends(topic)
        found = await asyncio.gather(
            *(self.connections.offsets.read(Place(topic, number), 0, end) for number, end in ends.items() if end)
        )
        return [record for records in found for record in records]

    async def ends(self, topic: str) -> dict[int, int]:
        """The offset that the next record of each partition will have."""
        count = await self.connections.producer.partitions(topic)
        ends = await self.connections.offsets.ends([Place(topic, number) for number in range(count)])
        return {place.partition: end for place, end in ends.items()}

    async def _take(self, record: Record) -> None:
        received = await self.connections.wire.read_event(record)
        self.events[received.event.run.id].append(received)


@contextlib.asynccontextmanager
async def runtime_harness(settings: Settings, folder: Path, partitions: int = 4) -> AsyncIterator[RuntimeHarness]:
    """A runtime harness of its own."""
    async with RuntimeHarness(isolated(settings, partitions), folder) as made:
        yield made
