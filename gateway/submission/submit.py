"""Submitting runs: once for each idempotency key, however often and on whichever gateway it is tried."""

import hashlib
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
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
from gateway.submission.straight_starts import StraightStarts, as_straight
from streams.language.topology import Topology
from streams.messages import EventKind, Run, Start

NAMESPACE = uuid.UUID("0b0dd2a4-3d5c-5f53-9f5b-0b8a7c1d6e42")
_ACCEPT_TIME = 0.1
"""Seconds in which flow, or the worker of a straight run, normally publishes that the run was accepted."""
_SOURCE = "http"
"""What the accepted event says of where the run comes from."""
_SHOWN = 64 * 1024
"""Characters of JSON up to which the accepted event shows the input."""


def keyed_run(owner: str, key: str) -> str:
    """Return the id of the run that an owner's idempotency key stands for."""
    return str(uuid.uuid5(NAMESPACE, f"{owner}\0{key}"))


@dataclass(frozen=True)
class RunOrder:
    """A run to be submitted: its id, topology and checked input, and what else the caller wants."""

    run: str
    topology: Topology
    input: Input
    keyed: bool = False
    followed: bool = False
    """Whether the caller stays, and waits for events of the run."""
    callback: str | None = None
    first: Callable[[], Awaitable[None]] | None = None
    """Called once it is certain that this order starts the run, before it starts."""

    @property
    def fingerprint(self) -> str:
        """Equal for orders of the same pipeline with the same input."""
        # Hashed, because every reader of events sees the fingerprint and the address may hold a token.
        callback = hashlib.sha256(self.callback.encode()).hexdigest() if self.callback else ""
        return f"{self.topology.name}:{self.input.fingerprint}:{callback}"


class Submissions:
    """Starts runs."""

    def __init__(
        self, objects: Objects, sender: Sender, straight: StraightStarts, run_events: RunEvents, tail: EventTail
    ) -> None:
        self._objects = objects
        self._straight = straight
        self._sender = sender
        self._run_events = run_events
        self._tail = tail

    def expect(self, run: str) -> AbstractContextManager[None]:
        """Hold a run with a new id in the cache while it is submitted."""
        return self._run_events.fresh(run)

    async def submit(self, order: RunOrder) -> bool:
        """Start the run; False when a run with the same key and input has ended before.

        Raises Problem: 409 while a run with this key is running, 422 when the key stands for another request, 503.
        """
        if order.keyed and await self._run_events.exists(order.run):
            return await self._repeat(order)
        await self._objects.store(order.input.objects)
        run = Run(order.run, order.topology.name, order.topology.digest, time.time() + order.topology.timeout)
        if not order.keyed:
            # The request first: whatever happens then, flow or the first worker publishes the rest, the acceptance too.
            if order.input.size <= _SHOWN and await self._straight.takes(order.topology):
                run = as_straight(run)
                await self._begin(order, run)
            else:
                await self._request(order, run)
            if not order.followed and not run.straight:
                await self._sender.accepted(run, _accepted_data(order))
            elif not await self._run_events.arrives(order.run, _ACCEPT_TIME):
                await self._accepted(run, order)
            return True
        # With a key the event first: of several gateways with the same key, the one whose event comes first wins.
        place = await self._accepted(run, order)
        async with self._run_events.open(order.run) as buffer:
            if buffer.events[0].sequence != place.offset:
                return await self._repeat(order)
        await self._request(order, run)
        return True

    async def _accepted(self, run: Run, order: RunOrder) -> RecordMetadata:
        """Publish that the run was accepted; return its place in the log, once it has been read here."""
        place = await self._sender.accepted(run, _accepted_data(order))
        await self._tail.reach(place.partition, place.offset + 1)
        return place

    async def _request(self, order: RunOrder, run: Run) -> None:
        if order.first is not None:
            await order.first()
        await self._sender.request(run, order.topology.input, order.input.record, large=order.input.size > _SHOWN)

    async def _begin(self, order: RunOrder, run: Run) -> None:
        if order.first is not None:
            await order.first()
        origin = {"fingerprint": order.fingerprint}
        await self._straight.begin(order.topology, Start(run, order.input.record, _SOURCE, origin=origin))

    async def _repeat(self, order: RunOrder) -> bool:
        """Answer a key that is in use; False when its run has ended. Raises Problem: 409, 422."""
        async with self._run_events.open(order.run) as buffer:
            first = json.loads(await self._run_events.body(buffer, 0) or b"{}")
            if first.get("fingerprint", order.fingerprint) != order.fingerprint:
                raise Problem(
                    Kind.KEY_REUSED,
                    "This idempotency key was used for another pipeline, input or callback; use a new key.",
                    extra={"id": order.run, "links": links(order.run)},
                )
            if buffer.ended:
                return False
            await self._resume(order, buffer, str(first.get("digest") or order.topology.digest))
        raise Problem(
            Kind.DUPLICATE,
            "The run has not ended; follow it, or send the same request again when it has.",
            headers={"Location": f"/runs/{order.run}", "Retry-After": "1"},
            extra={"id": order.run, "links": links(order.run)},
        )

    async def _resume(self, order: RunOrder, buffer: RunBuffer, digest: str) -> None:
        """Request a run again of which only the acceptance is known: the gateway that accepted it may have died just then.

        `digest`: of the version in that acceptance.
        """
        if [event.kind for event in buffer.events] == [EventKind.ACCEPTED]:
            await self._objects.store(order.input.objects)
            run = Run(order.run, order.topology.name, digest, time.time() + order.topology.timeout)
            await self._request(order, run)


def _accepted_data(order: RunOrder) -> Mapping[str, Any]:
    """Return what the accepted event carries."""
    data: dict[str, Any] = {
        "pipeline": order.topology.name,
        "digest": order.topology.digest,
        "source": _SOURCE,
        "fingerprint": order.fingerprint,
    }
    if order.input.size <= _SHOWN:
        data["input"] = order.input.record
    return data
