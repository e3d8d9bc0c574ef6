"""Why a run is where it is: what its events and flow's state say, with what is live now beside each place that waits."""

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aiokafka.errors import KafkaError

from gateway.parts import Parts
from gateway.render import moment
from gateway.view import View
from schemas.errors import SchemasError
from streams import topics
from streams.explain import Waiting, Why, waits
from streams.records import Place
from streams.rows import rebuild
from streams.runstate import RunState
from streams.runtime.errors import RuntimeFault
from streams.runtime.partitioner import partition_of
from streams.runtime.shard import windows
from streams.runtime.statelog import StateLog
from streams.topology import Topology

_PATIENCE = 8.0
"""Seconds that looking into Kafka may take; what is not known by then is left out."""
_SCANNED = 5000
"""Records of a partition that are looked through for a task."""
_ASKED = 20
"""Queued tasks whose place in the queue is looked up."""
_LATE = 5.0
"""Seconds after which something that was due counts as overdue."""


async def explain(parts: Parts, view: View) -> dict[str, Any]:
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
    missing, state = await asyncio.gather(parts.missing(), _state(parts, view, topology))
    document["away"] = {**{part: [f"the gateway gets no answer: {why}"] for part, why in missing.items()}}
    for one in parts.services.standing():
        for part in one.waiting_for:
            document["away"].setdefault(part, []).append(f"{one.service} on {one.worker} waits for it")
    if topology is None:
        document["waits"] = [{"why": "version", "path": "", "text": "its version is not in the catalogue (yet)"}]
        return document
    found = waits(topology, view.nodes, view.input or {}, state)
    live = _Live(parts, view)
    try:
        async with asyncio.timeout(_PATIENCE):
            told = [await live.told(one, number) for number, one in enumerate(found)]
    except (KafkaError, OSError, TimeoutError):
        told = [live.plain(one) for one in found]
    document["waits"] = told
    return document


async def _state(parts: Parts, view: View, topology: Topology | None) -> RunState | None:
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
    return rebuild(view.run, rows, windows(topology))


class _Live:
    """What is live about places that wait."""

    def __init__(self, parts: Parts, view: View) -> None:
        self._parts, self._view = parts, view
        self._names = parts.connections.names
        self._flow: tuple[int, int] | None = None

    def plain(self, one: Waiting) -> dict[str, Any]:
        """A place, with what needs no question to Kafka."""
        made: dict[str, Any] = {"why": one.why.value, "path": one.path, "node": one.node or None, **one.data}
        if "service" in one.data:
            made["workers"] = len(self._parts.services.workers(one.data["service"], one.data["major"]))
        if one.why is Why.RETRY and made.pop("said_at", None):
            due = datetime.fromisoformat(str(one.data["said_at"])).timestamp() + float(one.data["delay"] or 0)
            made["due_at"], made["overdue"] = moment(due), time.time() > due + _LATE
        if "gives_up_at" in one.data:
            made["gives_up_at"] = moment(one.data["gives_up_at"])
        made["text"] = _TEXTS[one.why](made)
        return made

    async def told(self, one: Waiting, number: int) -> dict[str, Any]:
        """The same with its place in a queue."""
        made = self.plain(one)
        if one.why is Why.QUEUED and number < _ASKED:
            made.update(await self._queue(one))
        elif one.why is Why.FLOW:
            made.update(await self._behind())
        made["text"] = _TEXTS[one.why](made)
        return made

    async def _queue(self, one: Waiting) -> Mapping[str, Any]:
        service = one.data["service"]
        topic = self._names.tasks(service, one.data["major"])
        key = f"{self._view.run}/{one.path}"
        place = Place(topic, partition_of(key, await self._parts.connections.producer.partitions(topic)))
        probe, group = self._parts.connections.probe, self._parts.connections.group(service)
        start, end = (await probe.starts(group, frozenset([place])))[place], (await probe.ends([place]))[place]
        about = {"topic": topic, "partition": place.partition, "lag": max(0, end - start)}
        records = await probe.read(place, start, min(end, start + _SCANNED)) if end > start else []
        ahead = next((number for number, record in enumerate(records) if record.key == key.encode()), None)
        if ahead is not None:
            return {**about, "ahead": ahead}
        return {**about, "at_least": len(records)} if end > start + _SCANNED else about

    async def _behind(self) -> Mapping[str, Any]:
        if self._flow is None:
            topic = self._parts.connections.topic(topics.TOKENS)
            count = await self._parts.connections.producer.partitions(topic)
            place = Place(topic, partition_of(self._view.run, count))
            lag = await self._parts.connections.probe.lag(self._parts.connections.group("flow"), [place])
            self._flow = place.partition, lag[place]
        return {"topic": topics.TOKENS, "partition": self._flow[0], "lag": self._flow[1]}


def _where(one: Mapping[str, Any]) -> str:
    return str(one["path"] or "the run's end")


def _join(one: Mapping[str, Any]) -> str:
    text = f"{_where(one)} waits for {', '.join(one['missing'])}"
    if one["arrived"]:
        text += f"; {', '.join(one['arrived'])} came"
    return text + (f"; it gives up at {one['gives_up_at']}" if one.get("gives_up_at") else "")


def _loop(one: Mapping[str, Any]) -> str:
    if "items" not in one:
        return f"{_where(one)} waits for its items; {one['begun']} have begun"
    text = f"{_where(one)} waits for {one['items'] - one['ended']} of its {one['items']} items"
    return f"{text}: {one['under_way']} under way, {one['not_begun']} not begun"


def _workers(one: Mapping[str, Any]) -> str:
    count = one["workers"]
    return f"{count} live worker{'' if count == 1 else 's'}" if count else "no live worker"


def _queued(one: Mapping[str, Any]) -> str:
    name = f"{one['service']} v{one['major']}"
    if not one["workers"]:
        text = f"{_where(one)} waits for {name}, which has no live worker"
    else:
        text = f"{_where(one)} waits in the queue of {name} ({_workers(one)})"
    if "ahead" in one:
        return f"{text}, {one['ahead']} ahead of it in partition {one['partition']}"
    if "at_least" in one:
        return f"{text}, at least {one['at_least']} ahead of it in partition {one['partition']}"
    return f"{text}; a worker has it in hand, or it is about to be sent" if one.get("lag") == 0 else text


def _running(one: Mapping[str, Any]) -> str:
    text = f"{_where(one)} runs on {one['service']} since {one['since']}, attempt {one['attempt']} ({_workers(one)})"
    return text if one["workers"] else f"{text}: another worker will begin it anew"


def _retry(one: Mapping[str, Any]) -> str:
    text = f"{_where(one)} is tried again at {one.get('due_at', 'some time')}"
    text += f" (attempt {one['attempt']} of {one['attempts']}), because {one['reason']}"
    return f"{text}; it is overdue: does the agent `retry` run?" if one.get("overdue") else text


def _of_flow(one: Mapping[str, Any]) -> str:
    text = f"{_where(one)} has all that it needs, and flow has to take it"
    return f"{text}; {one['lag']} messages are before it: does the agent `flow` run?" if one.get("lag") else text


_TEXTS = {
    Why.JOIN: _join,
    Why.LOOP: _loop,
    Why.QUEUED: _queued,
    Why.RUNNING: _running,
    Why.RETRY: _retry,
    Why.FLOW: _of_flow,
}


def _skipped(node: Mapping[str, Any]) -> dict[str, Any]:
    names = ("path", "node", "reason", "when", "if", "values", "missing")
    return {name: node[name] for name in names if name in node}


def _failed(node: Mapping[str, Any]) -> dict[str, Any]:
    names = ("path", "node", "service", "attempt", "reason", "fault", "hint", "where", "on_error")
    return {name: node[name] for name in names if node.get(name)}
