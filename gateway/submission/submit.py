"""Submitting runs: once, or once for each idempotency key, however often and wherever it is tried."""

import hashlib
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.structs import RecordMetadata

from gateway.api.links import links
from gateway.api.problems import Kind, Problem
from gateway.data.objects import Objects
from gateway.following.event_tail import EventTail
from gateway.following.run_buffer import RunBuffer
from gateway.following.run_events import RunEvents
from gateway.submission.inputs import Input
from gateway.submission.sender import Sender
from streams.language.topology import Topology
from streams.messages import EventKind, Run

NAMESPACE = uuid.UUID("0b0dd2a4-3d5c-5f53-9f5b-0b8a7c1d6e42")
_MOMENT = 0.1
"""Seconds in which flow says that it has accepted a run, where nothing holds it up."""
_SHOWN = 64 * 1024
"""Bytes of JSON up to which the accepted event says the input."""


def keyed_run(owner: str, key: str) -> str:
    """The run that an owner's idempotency key stands for."""
    return str(uuid.uuid5(NAMESPACE, f"{owner}\0{key}"))


@dataclass(frozen=True)
class RunOrder:
    """What is to run: a checked input for a topology, as which run, and what else the caller wants."""

    run: str
    topology: Topology
    input: Input
    keyed: bool = False
    followed: bool = False
    """Whether the caller stays, and waits for what is said of the run."""
    callback: str | None = None
    first: Callable[[], Awaitable[None]] | None = None
    """What has to be done when it is sure that this makes the run, before it begins."""

    @property
    def fingerprint(self) -> str:
        """Equal for orders of the same pipeline with the same input."""
        # Everybody who sees events sees this: an address may hold a token.
        callback = hashlib.sha256(self.callback.encode()).hexdigest() if self.callback else ""
        return f"{self.topology.name}:{self.input.fingerprint}:{callback}"


class Submissions:
    """Makes runs."""

    def __init__(self, objects: Objects, sender: Sender, journal: RunEvents, tail: EventTail) -> None:
        self._objects = objects
        self._sender = sender
        self._journal = journal
        self._tail = tail

    async def submit(self, order: RunOrder) -> bool:
        """Starts the run; False when a run with the same key and input has ended before.

        Raises Problem: 409 while a run with this key goes on, 422 when the key stands for another request, 503.
        """
        if order.keyed and await self._journal.find(order.run):
            return await self._again(order)
        await self._objects.store(order.input.objects)
        run = Run(order.run, order.topology.name, order.topology.digest, time.time() + order.topology.timeout)
        if not order.keyed:
            # The request first: whatever happens then, flow says the rest, and to a caller who stays that it was accepted too.
            await self._begin(order, run)
            if not order.followed:
                await self._sender.accepted(run, self._said(order))
            elif not await self._journal.heard(order.run, _MOMENT):
                await self._accepted(run, order)
            return True
        # With a key the event first: of several gateways with the same key, the one whose event is first has won.
        place = await self._accepted(run, order)
        async with self._journal.open(order.run) as buffer:
            if buffer.events[0].sequence != place.offset:
                return await self._again(order)
        await self._begin(order, run)
        return True

    async def _accepted(self, run: Run, order: RunOrder) -> RecordMetadata:
        """Says that the run was accepted, and returns where that stands, when it is known here."""
        place = await self._sender.accepted(run, self._said(order))
        await self._tail.reach(place.partition, place.offset + 1)
        return place

    async def _begin(self, order: RunOrder, run: Run) -> None:
        if order.first is not None:
            await order.first()
        await self._sender.request(run, order.topology.input, order.input.record, large=order.input.size > _SHOWN)

    async def _again(self, order: RunOrder) -> bool:
        """A key that is known: the same request again, or another one."""
        async with self._journal.open(order.run) as buffer:
            first = json.loads(await self._journal.body(buffer, 0) or b"{}")
            if first.get("fingerprint", order.fingerprint) != order.fingerprint:
                raise Problem(
                    Kind.KEY_REUSED,
                    "This idempotency key was used for another pipeline, input or callback; use a new key.",
                    extra={"id": order.run, "links": links(order.run)},
                )
            if buffer.ended:
                return False
            await self._mend(order, buffer, str(first.get("digest") or order.topology.digest))
        raise Problem(
            Kind.DUPLICATE,
            "The run goes on; follow it, or send the same request again when it has ended.",
            headers={"Location": f"/runs/{order.run}", "Retry-After": "1"},
            extra={"id": order.run, "links": links(order.run)},
        )

    async def _mend(self, order: RunOrder, buffer: RunBuffer, digest: str) -> None:
        """Asks again for a run of which nothing but its acceptance is known: who accepted it may have died just then.

        `digest`: of the version that was told then.
        """
        if [line.kind for line in buffer.events] == [EventKind.ACCEPTED]:
            await self._objects.store(order.input.objects)
            run = Run(order.run, order.topology.name, digest, time.time() + order.topology.timeout)
            await self._begin(order, run)

    @staticmethod
    def _said(order: RunOrder) -> Mapping[str, Any]:
        """What the accepted event carries."""
        data: dict[str, Any] = {
            "pipeline": order.topology.name,
            "digest": order.topology.digest,
            "source": "http",
            "fingerprint": order.fingerprint,
        }
        if order.input.size <= _SHOWN:
            data["input"] = order.input.record
        return data
