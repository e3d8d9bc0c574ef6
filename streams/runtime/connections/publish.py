"""Publishes the messages of the pure core: events first, then the others once those are acknowledged. Waits out outages."""

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from schemas.errors import RegistryUnavailable
from streams.language.topology import Topology
from streams.messages import (
    Control,
    Event,
    EventKind,
    Failure,
    Fault,
    FlowMessage,
    JoinToken,
    LoopItemDone,
    LoopOpened,
    Message,
    Result,
    Retry,
    Task,
)
from streams.runtime.connections.connections import Connections
from streams.runtime.errors import Undeliverable
from streams.runtime.retrying import retry_until_available
from streams.wire.records import Outgoing
from streams.wire.topics import tier

DUE = "millrace-due"
"""The header of a record in a retry tier: when it is due, in epoch seconds."""
TARGET = "millrace-target"
"""The header of a record in a retry tier: the topic to forward it to."""

T = TypeVar("T")


class Publisher:
    """Sends messages of runs. `absent` returns why no worker serves a major version of a service; empty when one does."""

    def __init__(self, connections: Connections, absent: Callable[[str, int], str]) -> None:
        self._connections = connections
        self._absent = absent

    async def publish(self, messages: Iterable[Message], topology: Topology, first: Iterable[Outgoing] = ()) -> None:
        """Send everything and return when the broker has it. Raises ProducerStopped, and Undeliverable for our own faults.

        `first`: encoded records that are sent with the events, before everything else.
        """
        events: list[Event] = []
        others: list[Message] = []
        for message in messages:
            if isinstance(message, Event):
                events.append(message)
                continue
            if isinstance(message, Task) and (reason := self._absent(message.service, message.major)):
                # What rides in the task is published now: nobody will take it soon.
                events += [*message.said, waiting(message, reason)]
                message = replace(message, said=())
            others.append(message)
        # Acknowledged before anything else is sent, so that nothing that follows an event overtakes it.
        await self._send_events(events, first)
        await self._connections.producer.send_all(
            [await self._encoded(message, topology) for message in others if not isinstance(message, Result)]
        )
        for message in others:
            if isinstance(message, Result):
                await self._result(message, topology)

    async def publish_events(self, events: Iterable[Event]) -> None:
        """Send events, in order; return when the broker has them. Raises ProducerStopped."""
        await self._send_events(events)

    async def _send_events(self, events: Iterable[Event], first: Iterable[Outgoing] = ()) -> None:
        """Send events, with other records beside them; those of a straight run are written together or not at all.

        Nobody decides later which of them count, as flow does for other runs.
        """
        runs: dict[str, list[Event]] = {}
        others: list[Event] = []
        for event in events:
            (runs.setdefault(event.run.id, []) if event.run.straight else others).append(event)
        await self._connections.producer.send_all([*first, *await self.encoded(others)])
        log = self._connections.event_log
        groups = [(run, await self.encoded(said)) for run, said in runs.items()]
        await asyncio.gather(*(log.append(run, records) for run, records in groups))

    async def encoded(self, events: Iterable[Event]) -> list[Outgoing]:
        """Encode events as records, with the present time."""
        wire = self._connections.wire
        return [await self.patiently(functools.partial(wire.event, event)) for event in events]

    async def to_flow(self, message: FlowMessage) -> None:
        """Send a message to flow."""
        await self._connections.producer.send(await self.patiently(lambda: self._connections.wire.flow(message)))

    async def patiently(self, action: Callable[[], Awaitable[T]]) -> T:
        """Return the result of `action`, however long the registry is unavailable."""
        return await retry_until_available(self._connections.outages, "registry", action, RegistryUnavailable)

    async def _result(self, result: Result, topology: Topology) -> None:
        wire, producer = self._connections.wire, self._connections.producer
        try:
            await producer.send(await self.patiently(lambda: wire.result(result, topology)))
        except Undeliverable:
            hint = f"read it over HTTP: /runs/{result.run.id}/result"
            short = replace(
                result,
                output=None,
                failure=Failure("the output is larger than a record can be", Fault.PIPELINE, hint=hint),
            )
            await producer.send(await self.patiently(lambda: wire.result(short, topology)))

    async def _encoded(self, message: Message, topology: Topology) -> Outgoing:
        wire = self._connections.wire
        match message:
            case Task():
                return await self.patiently(lambda: wire.task(message, topology))
            case Retry():
                return await self._delayed(message, topology)
            case JoinToken() | LoopOpened() | LoopItemDone():
                return await self.patiently(lambda: wire.flow(message))
            case Control():
                return await self.patiently(lambda: wire.control(message))
        raise AssertionError(f"unexpected message: {message}")

    async def _delayed(self, retry: Retry, topology: Topology) -> Outgoing:
        record = await self.patiently(lambda: self._connections.wire.task(retry.task, topology))
        name = tier(retry.delay)
        due = f"{time.time() + retry.delay:.3f}"
        headers = (*record.headers, (DUE, due.encode()), (TARGET, record.topic.encode()))
        return replace(record, topic=self._connections.names.retry(name), headers=headers)


def waiting(task: Task, reason: str) -> Event:
    """Return the event of a task for which there is no worker."""
    data = {"service": task.service, "reason": reason}
    return Event(task.run, EventKind.WAITING, task.vertex, task.at, task.path, task.attempt, data)
