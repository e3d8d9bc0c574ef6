"""Why a run is where it is: what its events and flow's state say, and for each place that waits, what is live now."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException

from gateway.following.explain_text import text
from gateway.following.view import RunView
from gateway.monitoring.health import READERS
from schemas.errors import SchemasError
from streams.flow.explain import Waiting, Why, waits
from streams.flow.run_state import RunState
from streams.flow.state_rows import rebuild
from streams.language.topology import Topology
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.catalogue.services import Services
from streams.runtime.connections.connections import Connections
from streams.runtime.connections.state_log import StateLog
from streams.runtime.errors import RuntimeFault
from streams.runtime.kafka.partitioner import partition_of
from streams.runtime.worker.health.worker_states import WorkerStates
from streams.timestamps import moment
from streams.wire import topics
from streams.wire.records import Place

_TIMEOUT = 8.0
"""Seconds for questions to Kafka; what is not known by then is left out."""
_SCANNED = 5000
"""Records of a partition that are searched for a task, at most."""
_LOCATED = 20
"""Queued tasks whose position in the queue is looked up, at most."""
_FLOW = "flow"
_OVERDUE_AFTER = 5.0
"""Seconds past its time after which a retry counts as overdue."""


class Explainer:
    """Explains runs from their events, the state of flow and what is live."""

    def __init__(
        self,
        connections: Connections,
        pipelines: Pipelines,
        services: Services,
        worker_states: WorkerStates,
        missing: Callable[[], Mapping[str, str]],
    ) -> None:
        """`missing`: the parts of the system that do not answer the gateway now, each with the reason."""
        self._connections = connections
        self._pipelines = pipelines
        self._services = services
        self._workforce = worker_states
        self._missing = missing

    async def explain(self, view: RunView) -> dict[str, Any]:
        """Return what a run waits for, or how it ended, and which nodes were skipped and why."""
        document: dict[str, Any] = {
            "id": view.run,
            "pipeline": view.pipeline,
            "digest": view.digest,
            "status": view.status,
            "skipped": [_skipped(node) for node in view.nodes.values() if node["status"] == "skipped"],
            "failed": [_failed(node) for node in view.nodes.values() if node["status"] == "failed"],
        }
        if view.ended_at is not None:
            document["ended_at"] = view.ended_at
            if view.failure is not None:
                document["failure"] = view.failure
            return document
        missing = self._missing()
        document["away"] = self._unavailable(missing)
        document["unread"] = [str(trouble) for trouble in self._workforce.troubles()]
        document["waits"] = await self._waits(view, kafka="kafka" not in missing)
        return document

    def _unavailable(self, missing: Mapping[str, str]) -> dict[str, list[str]]:
        """Return the parts that do not answer the gateway or a worker, each with the reasons."""
        reasons = {part: [f"the gateway gets no answer: {why}"] for part, why in missing.items() if part != READERS}
        for worker in self._services.standing():
            for part in worker.waiting_for:
                reasons.setdefault(part, []).append(f"{worker.service} on {worker.worker} waits for it")
        return reasons

    async def _waits(self, view: RunView, *, kafka: bool) -> list[dict[str, Any]]:
        """Return each place that waits. Without `kafka`, no question is asked that would only time out."""
        topology = self._pipelines.topology(view.digest or "")
        if topology is None:
            return [{"why": "version", "path": "", "text": "its version is not in the catalogue (yet)"}]
        state = await self._state(view, topology) if kafka else None
        # A straight run is not opened by flow: it has begun when it is accepted.
        straight = self._connections.settings.straight_runs and topology.straight and not view.origin
        if straight and state is not None and not state.opened:
            state = None
        if state is not None and not state.opened and not view.nodes:
            waiting = [Waiting(Why.BEGIN, "", "")]
        else:
            waiting = waits(topology, view.nodes, view.input or {}, state)
        live = _LiveFacts(self._connections, self._services, view)
        try:
            async with asyncio.timeout(_TIMEOUT if kafka else 0):
                await live.count_members(waiting)
                return [await live.describe(place, locate=number < _LOCATED) for number, place in enumerate(waiting)]
        except (KafkaException, KafkaError, OSError, TimeoutError):
            return [live.describe_offline(place) for place in waiting]

    async def _state(self, view: RunView, topology: Topology) -> RunState | None:
        """Return the state of the run in flow; None when it cannot be read now."""
        if view.accepted_at is None:
            return None
        since = datetime.fromisoformat(view.accepted_at).timestamp() - 60.0  # clocks differ
        try:
            async with asyncio.timeout(_TIMEOUT):
                count = await self._connections.producer.partitions(self._connections.topic(topics.STATE))
                rows = await StateLog(self._connections).of_run(view.run, partition_of(view.run, count), since)
        except (KafkaError, OSError, TimeoutError, SchemasError, RuntimeFault):
            return None
        return rebuild(view.run, rows, topology.windows)


class _LiveFacts:
    """What is live about the places that wait: workers, queues, times."""

    def __init__(self, connections: Connections, services: Services, view: RunView) -> None:
        self._connections, self._services, self._view = connections, services, view
        self._lags: dict[str, tuple[int, int]] = {}
        """Partition and lag of flow, by topic."""
        self._members: dict[str, int] = {}
        """Members of consumer groups as the broker counts them: a killed worker never withdraws its announcement."""

    async def count_members(self, places: Iterable[Waiting]) -> None:
        """Count the members of the consumer groups that these places wait for."""
        names = {place.data["service"] for place in places if "service" in place.data}
        names |= {_FLOW for place in places if place.why in (Why.BEGIN, Why.FLOW)}
        groups = {self._connections.group(name): name for name in sorted(names)}
        members = await self._connections.admin.members(groups, _TIMEOUT)
        self._members = {groups[group]: count for group, count in members.items()}

    def describe_offline(self, place: Waiting) -> dict[str, Any]:
        """Describe a place from what is known without asking Kafka."""
        facts: dict[str, Any] = {"why": place.why.value, "path": place.path, "node": place.node or None, **place.data}
        if "service" in place.data:
            service = place.data["service"]
            workers = self._services.workers(service, place.data["major"])
            able = sum(worker.able for worker in workers)
            facts["workers"] = min(able, self._members.get(service, able))
            facts["waiting_for"] = sorted({part for worker in workers for part in worker.waiting_for})
            problems = (worker.problem for worker in workers if worker.problem)
            facts["problem"] = None if able else next(problems, None)
        if place.why in (Why.BEGIN, Why.FLOW):
            facts["workers"] = self._members.get(_FLOW)
        if place.why is Why.RETRY and facts.pop("said_at", None):
            due = datetime.fromisoformat(str(place.data["said_at"])).timestamp() + float(place.data["delay"] or 0)
            facts["due_at"], facts["overdue"] = moment(due), time.time() > due + _OVERDUE_AFTER
        if "gives_up_at" in place.data:
            facts["gives_up_at"] = moment(place.data["gives_up_at"])
        facts["text"] = text(place.why, facts)
        return facts

    async def describe(self, place: Waiting, *, locate: bool) -> dict[str, Any]:
        """Describe a place; if `locate`, with a queued task's position in its queue. Raises KafkaError, KafkaException."""
        facts = self.describe_offline(place)
        if place.why is Why.QUEUED and locate:
            facts.update(await self._queue(place))
        elif place.why is Why.FLOW or (place.why is Why.BEGIN and self._view.origin):
            facts.update(await self._behind(self._connections.topic(topics.TOKENS)))
        elif place.why is Why.BEGIN:
            facts.update(await self._behind(self._connections.names.requests(str(self._view.pipeline))))
        facts["text"] = text(place.why, facts)
        return facts

    async def _queue(self, place: Waiting) -> Mapping[str, Any]:
        """Return the position of a task in its queue: `ahead`, or `at_least` that many before it."""
        service = place.data["service"]
        topic = self._connections.names.tasks(service, place.data["major"])
        key = f"{self._view.run}/{place.path}"
        queue = Place(topic, partition_of(key, await self._connections.producer.partitions(topic)))
        offsets, group = self._connections.offsets, self._connections.group(service)
        start = (await offsets.starts(group, frozenset([queue])))[queue]
        end = (await offsets.ends([queue]))[queue]
        about = {"topic": topic, "partition": queue.partition, "lag": max(0, end - start)}
        records = await offsets.read(queue, start, min(end, start + _SCANNED)) if end > start else []
        ahead = next((number for number, record in enumerate(records) if record.key == key.encode()), None)
        if ahead is not None:
            return {**about, "ahead": ahead}
        return {**about, "at_least": len(records)} if end > start + _SCANNED else about

    async def _behind(self, topic: str) -> Mapping[str, Any]:
        """Return how many messages flow has to take first from one of its topics."""
        if topic not in self._lags:
            count = await self._connections.producer.partitions(topic)
            place = Place(topic, partition_of(self._view.run, count))
            lag = await self._connections.offsets.lag(self._connections.group("flow"), [place])
            self._lags[topic] = place.partition, lag[place]
        partition, lag_ = self._lags[topic]
        return {"topic": topic, "partition": partition, "lag": lag_}


def _skipped(node: Mapping[str, Any]) -> dict[str, Any]:
    names = ("path", "node", "reason", "when", "if", "values", "missing")
    return {name: node[name] for name in names if name in node}


def _failed(node: Mapping[str, Any]) -> dict[str, Any]:
    names = ("path", "node", "service", "attempt", "reason", "fault", "hint", "where", "on_error")
    return {name: node[name] for name in names if node.get(name)}
