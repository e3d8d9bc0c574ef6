"""Records that end their worker: counted where the worker's end cannot reach, tried alone, and in the end given up.

A record that was in work when its worker died is delivered again, to a worker that it may end too. What must survive that is
kept in S3: which partitions a worker has (its claim, gone when it leaves in order), and, only for records of partitions whose
last worker left no other trace, a mark for each delivery. In a system where nobody dies this costs one object a membership change.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from aiokafka.errors import KafkaError

from streams.runtime.connections.connections import Connections
from streams.runtime.errors import Missing
from streams.runtime.retrying import retry_until_available
from streams.wire.records import Place, Record

log = logging.getLogger(__name__)

LIMIT = 3
"""Marked deliveries of a record after which it is given up; the first delivery of all is not marked."""
DEPTH = 2000
"""Records past a group's offset that may have been in work when a worker died: the lanes take no more of a partition."""
_LEAVING = 2.0


class ExclusiveTurns:
    """Many at once, or one alone: who wants to be alone waits for those inside, and who comes later waits for them."""

    def __init__(self) -> None:
        self._inside = 0
        self._waiting = 0
        self._alone = asyncio.Lock()
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def among(self) -> AsyncIterator[None]:
        """With others."""
        if self._waiting:
            async with self._changed:
                await self._changed.wait_for(lambda: not self._waiting)
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            if self._waiting:
                await self._notify()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """With nobody."""
        self._waiting += 1
        try:
            async with self._alone:
                async with self._changed:
                    await self._changed.wait_for(lambda: not self._inside)
                yield
        finally:
            self._waiting -= 1
            await self._notify()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


class DeliveryCounter:
    """What one service of one worker knows of the records that it gets."""

    def __init__(
        self,
        parts: Connections,
        worker: str,
        group: str,
        turns: ExclusiveTurns,
        assigned: Callable[[], frozenset[Place]],
        patience: float | None = None,
    ) -> None:
        """`assigned`: the partitions that the service's member has now. `patience`: seconds after which records are taken
        though the store does not say whose these were; None: they wait for it.
        """
        self._parts, self._group, self._turns, self._assigned = parts, group, turns, assigned
        self._claim = f"deliveries/{group}/claims/{worker}"
        self._patience = patience
        self._suspects: dict[Place, range] = {}
        self._ready: asyncio.Task[None] | None = None
        self._tidying = set[asyncio.Task[None]]()

    def take_over(self) -> None:
        """A new generation begins: whose partitions these were is looked up before the first record."""
        if self._ready is not None:
            self._ready.cancel()
        self._ready = asyncio.create_task(self._look(self._assigned()), name=f"claims of {self._group}")

    async def leave(self) -> None:
        """The worker ends in order: nobody needs to suspect what it had in work."""
        if self._ready is not None:
            self._ready.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LEAVING):  # a store that is away does not hold up the end
                await asyncio.gather(*self._tidying, return_exceptions=True)
                await self._parts.store.delete([self._claim])

    @asynccontextmanager
    async def over(self, record: Record) -> AsyncIterator[int]:
        """Around the body: how often the record was delivered and never came to an end, as far as it is under suspicion.

        From the second such delivery on it has the worker for itself, so that it alone is to blame for what happens.
        """
        while self._ready is not None and not self._ready.done():
            _, unknown = await asyncio.wait([self._ready], timeout=self._patience)
            if unknown:
                break
        if record.offset not in self._suspects.get(record.place, ()):
            async with self._turns.among():
                yield 0
            return
        marks = f"deliveries/{self._group}/{record.place.topic}/{record.place.partition}/{record.offset}/"
        times = 1 + len(await self._parts.store.list(marks))
        if times > 1:
            log.warning("%s was delivered %d times and never came to an end", record.where, times)
        # The mark is made when its turn has come: while it waits, it cannot be to blame.
        async with self._turns.alone() if times > 1 else self._turns.among():
            await self._parts.store.create(f"{marks}{times}", b"")
            try:
                yield times
            finally:  # whatever came of it, this worker lives
                tidying = asyncio.create_task(self._parts.store.delete(f"{marks}{n}" for n in range(1, times + 1)))
                self._tidying.add(tidying)
                tidying.add_done_callback(self._tidying.discard)
                await asyncio.shield(tidying)

    async def _look(self, places: frozenset[Place]) -> None:
        left = await self._left_behind(places)
        ranges = await retry_until_available(
            self._parts.outages, "kafka", lambda: self._ranges(left), KafkaError, OSError
        )
        kept = {place: offsets for place, offsets in self._suspects.items() if place in places}
        self._suspects = {**kept, **ranges}
        await self._parts.store.write(self._claim, _claim(places), "application/json")
        if left:
            log.info("%s: %d of its partitions were left by a worker without a word", self._group, len(left))

    async def _left_behind(self, places: frozenset[Place]) -> frozenset[Place]:
        """Those partitions that another worker claimed and did not leave; its claim to them ends here."""
        found = set[Place]()
        for key in await self._parts.store.list(f"deliveries/{self._group}/claims/"):
            if key == self._claim:
                continue
            try:
                claimed = {Place(*one) for one in json.loads(await self._parts.store.read(key))}
            except (Missing, ValueError, TypeError):  # it left just now
                continue
            if not claimed & places:
                continue
            found |= claimed & places
            if rest := claimed - places:
                await self._parts.store.write(key, _claim(rest), "application/json")
            else:
                await self._parts.store.delete([key])
        return frozenset(found)

    async def _ranges(self, places: Iterable[Place]) -> dict[Place, range]:
        """The offsets of each partition that may have been in work."""
        places = frozenset(places)
        if not places:
            return {}
        starts, ends = await self._parts.offsets.starts(self._group, places), await self._parts.offsets.ends(places)
        return {place: range(starts[place], min(ends[place], starts[place] + DEPTH)) for place in places}


def _claim(places: Iterable[Place]) -> bytes:
    return json.dumps(sorted([place.topic, place.partition] for place in places)).encode()
