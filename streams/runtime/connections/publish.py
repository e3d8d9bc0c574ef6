"""Publishing what the pure core wants sent: events first and acknowledged, then the rest; outages are waited out."""

import functools
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from schemas.errors import RegistryAway
from streams.language.topology import Topology
from streams.messages import (
    Control,
    Event,
    EventKind,
    Failure,
    Fault,
    FlowMessage,
    Item,
    Message,
    Opened,
    Result,
    Retry,
    Task,
    Token,
)
from streams.runtime.connections.connections import Connections
from streams.runtime.errors import Undeliverable
from streams.runtime.retrying import retry_until_available
from streams.wire.records import Outgoing
from streams.wire.topics import tier

DUE = "millrace-due"
"""The header of a record in a retry tier: when it is to go on, in seconds since 1970."""
TARGET = "millrace-target"
"""The header of a record in a retry tier: the topic where it is to go."""

T = TypeVar("T")


class Publisher:
    """Sends messages of runs. `absent` says why no worker serves a service of a major version; empty when one does."""

    def __init__(self, parts: Connections, absent: Callable[[str, int], str]) -> None:
        self._parts = parts
        self._absent = absent

    async def publish(self, messages: Iterable[Message], topology: Topology, first: Iterable[Outgoing] = ()) -> None:
        """Sends everything and returns when the broker has it. Raises ProducerStopped, and Undeliverable for our own faults.

        `first`: records that are encoded already and are sent with the events: they too come before everything else.
        """
        events: list[Event] = []
        others: list[Message] = []
        for message in messages:
            if isinstance(message, Event):
                events.append(message)
                continue
            others.append(message)
            if isinstance(message, Task) and (reason := self._absent(message.service, message.major)):
                events.append(waiting(message, reason))
        # Acknowledged before anything else is sent: what follows an event must not overtake it.
        await self._parts.producer.send_all([*first, *await self.encoded(events)])
        await self._parts.producer.send_all(
            [await self._encoded(one, topology) for one in others if not isinstance(one, Result)]
        )
        for one in others:
            if isinstance(one, Result):
                await self._result(one, topology)

    async def publish_events(self, events: Iterable[Event]) -> None:
        """Send events, in order; return when the broker has them. Raises ProducerStopped."""
        await self._parts.producer.send_all(await self.encoded(events))

    async def encoded(self, events: Iterable[Event]) -> list[Outgoing]:
        """Events as records; their time is now."""
        wire = self._parts.wire
        return [await self.patiently(functools.partial(wire.event, one)) for one in events]

    async def to_flow(self, message: FlowMessage) -> None:
        """Sends a message to flow."""
        await self._parts.producer.send(await self.patiently(lambda: self._parts.wire.flow(message)))

    async def patiently(self, action: Callable[[], Awaitable[T]]) -> T:
        """What `action` gives, however long the registry is away."""
        return await retry_until_available(self._parts.outages, "registry", action, RegistryAway)

    async def _result(self, result: Result, topology: Topology) -> None:
        wire, producer = self._parts.wire, self._parts.producer
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
        wire = self._parts.wire
        match message:
            case Task():
                return await self.patiently(lambda: wire.task(message, topology))
            case Retry():
                return await self._delayed(message, topology)
            case Token() | Opened() | Item():
                return await self.patiently(lambda: wire.flow(message))
            case Control():
                return await self.patiently(lambda: wire.control(message))
        raise AssertionError(f"nobody sends {message}")

    async def _delayed(self, retry: Retry, topology: Topology) -> Outgoing:
        made = await self.patiently(lambda: self._parts.wire.task(retry.task, topology))
        name = tier(retry.delay)
        due = f"{time.time() + retry.delay:.3f}"
        headers = (*made.headers, (DUE, due.encode()), (TARGET, made.topic.encode()))
        return replace(made, topic=self._parts.names.retry(name), headers=headers)


def waiting(task: Task, reason: str) -> Event:
    """The event of a task for which there is no worker."""
    data = {"service": task.service, "reason": reason}
    return Event(task.run, EventKind.WAITING, task.vertex, task.at, task.path, task.attempt, data)
