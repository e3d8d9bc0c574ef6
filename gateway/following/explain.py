"""Why a run is where it is: what its events and flow's state say, with what is live now beside each place that waits."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException

from gateway.dependencies import READERS, Parts
from gateway.following.explain_text import text
from gateway.following.view import RunView
from schemas.errors import SchemasError
from streams.flow.explain import Waiting, Why, waits
from streams.flow.run_state import RunState
from streams.flow.state_rows import rebuild
from streams.language.topology import Topology
from streams.runtime.connections.state_log import StateLog
from streams.runtime.errors import RuntimeFault
from streams.runtime.kafka.partitioner import partition_of
from streams.timestamps import moment
from streams.wire import topics
from streams.wire.records import Place

_PATIENCE = 8.0
"""Seconds that looking into Kafka may take; what is not known by then is left out."""
_SCANNED = 5000
"""Records of a partition that are looked through for a task."""
_ASKED = 20
"""Queued tasks whose place in the queue is looked up."""
_FLOW = "flow"
_LATE = 5.0
"""Seconds after which something that was due counts as overdue."""


async def explain(parts: Parts, view: RunView) -> dict[str, Any]:
    """What a run waits for, or how it came to its end, and what was skipped and why."""
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
    topology = parts.pipelines.topology(view.digest or "")
    missing = parts.health.missing()
    # With a broker that does not answer, nobody is to wait for the moment when that is known of each question.
    state = None if "kafka" in missing else await _state(parts, view, topology)
    document["away"] = {
        part: [f"the gateway gets no answer: {why}"] for part, why in missing.items() if part != READERS
    }
    document["unread"] = [str(one) for one in parts.workforce.troubles()]
    for one in parts.services.standing():
        for part in one.waiting_for:
            document["away"].setdefault(part, []).append(f"{one.service} on {one.worker} waits for it")
    if topology is None:
        document["waits"] = [{"why": "version", "path": "", "text": "its version is not in the catalogue (yet)"}]
        return document
    live = _Live(parts, view)
    if state is not None and not state.opened and not view.nodes:
        found = [Waiting(Why.BEGIN, "", "")]
    else:
        found = waits(topology, view.nodes, view.input or {}, state)
    try:
        async with asyncio.timeout(0 if "kafka" in missing else _PATIENCE):
            await live.count(found)
            told = [await live.told(one, number) for number, one in enumerate(found)]
    except (KafkaException, KafkaError, OSError, TimeoutError):
        told = [live.plain(one) for one in found]
    document["waits"] = told
    return document


async def _state(parts: Parts, view: RunView, topology: Topology | None) -> RunState | None:
    if view.accepted_at is None:
        return None
    since = datetime.fromisoformat(view.accepted_at).timestamp() - 60.0  # clocks differ
    try:
        async with asyncio.timeout(_PATIENCE):
            count = await parts.connections.producer.partitions(parts.connections.topic(topics.STATE))
            partition = partition_of(view.run, count)
            rows = await StateLog(parts.connections).of_run(view.run, partition, since)
    except (KafkaError, OSError, TimeoutError, SchemasError, RuntimeFault):
        return None
    return rebuild(view.run, rows, topology.windows if topology else {})


class _Live:
    """What is live about places that wait."""

    def __init__(self, parts: Parts, view: RunView) -> None:
        self._parts, self._view = parts, view
        self._names = parts.connections.names
        self._flow: dict[str, tuple[int, int]] = {}
        self._members: dict[str, int] = {}
        """Members of consumer groups, as the broker has them: a worker that was killed withdraws nothing of what it announced."""

    async def count(self, found: Iterable[Waiting]) -> None:
        """Asks who is there of those who are waited for."""
        names = {one.data["service"] for one in found if "service" in one.data}
        names |= {_FLOW for one in found if one.why in (Why.BEGIN, Why.FLOW)}
        groups = {self._parts.connections.group(name): name for name in sorted(names)}
        members = await self._parts.connections.admin.members(groups, _PATIENCE)
        self._members = {groups[group]: count for group, count in members.items()}

    def plain(self, one: Waiting) -> dict[str, Any]:
        """A place, with what needs no question to Kafka."""
        made: dict[str, Any] = {"why": one.why.value, "path": one.path, "node": one.node or None, **one.data}
        if "service" in one.data:
            service = one.data["service"]
            workers = self._parts.services.workers(service, one.data["major"])
            able = sum(one.able for one in workers)
            made["workers"] = min(able, self._members.get(service, able))
            made["waiting_for"] = sorted({part for one in workers for part in one.waiting_for})
            made["problem"] = None if able else next((one.problem for one in workers if one.problem), None)
        if one.why in (Why.BEGIN, Why.FLOW):
            made["workers"] = self._members.get(_FLOW)
        if one.why is Why.RETRY and made.pop("said_at", None):
            due = datetime.fromisoformat(str(one.data["said_at"])).timestamp() + float(one.data["delay"] or 0)
            made["due_at"], made["overdue"] = moment(due), time.time() > due + _LATE
        if "gives_up_at" in one.data:
            made["gives_up_at"] = moment(one.data["gives_up_at"])
        made["text"] = text(one.why, made)
        return made

    async def told(self, one: Waiting, number: int) -> dict[str, Any]:
        """The same with its place in a queue."""
        made = self.plain(one)
        if one.why is Why.QUEUED and number < _ASKED:
            made.update(await self._queue(one))
        elif one.why is Why.FLOW or (one.why is Why.BEGIN and self._view.origin):
            made.update(await self._behind(self._parts.connections.topic(topics.TOKENS)))
        elif one.why is Why.BEGIN:
            made.update(await self._behind(self._names.requests(str(self._view.pipeline))))
        made["text"] = text(one.why, made)
        return made

    async def _queue(self, one: Waiting) -> Mapping[str, Any]:
        service = one.data["service"]
        topic = self._names.tasks(service, one.data["major"])
        key = f"{self._view.run}/{one.path}"
        place = Place(topic, partition_of(key, await self._parts.connections.producer.partitions(topic)))
        probe, group = self._parts.connections.offsets, self._parts.connections.group(service)
        start, end = (await probe.starts(group, frozenset([place])))[place], (await probe.ends([place]))[place]
        about = {"topic": topic, "partition": place.partition, "lag": max(0, end - start)}
        records = await probe.read(place, start, min(end, start + _SCANNED)) if end > start else []
        ahead = next((number for number, record in enumerate(records) if record.key == key.encode()), None)
        if ahead is not None:
            return {**about, "ahead": ahead}
        return {**about, "at_least": len(records)} if end > start + _SCANNED else about

    async def _behind(self, topic: str) -> Mapping[str, Any]:
        """What flow has to take first on one of its topics."""
        if topic not in self._flow:
            count = await self._parts.connections.producer.partitions(topic)
            place = Place(topic, partition_of(self._view.run, count))
            lag = await self._parts.connections.offsets.lag(self._parts.connections.group("flow"), [place])
            self._flow[topic] = place.partition, lag[place]
        partition, lag_ = self._flow[topic]
        return {"topic": topic, "partition": partition, "lag": lag_}


def _skipped(node: Mapping[str, Any]) -> dict[str, Any]:
    names = ("path", "node", "reason", "when", "if", "values", "missing")
    return {name: node[name] for name in names if name in node}


def _failed(node: Mapping[str, Any]) -> dict[str, Any]:
    names = ("path", "node", "service", "attempt", "reason", "fault", "hint", "where", "on_error")
    return {name: node[name] for name in names if node.get(name)}
