"""Records that kill their worker ("poison pills"): their deliveries are counted, they are tried alone, and in the end given up.

A record that was in progress when its worker died is delivered again, to a worker that it may kill too. The count has to survive
that, so it is kept in S3: the partitions that a worker has (its claim, deleted at an orderly shutdown) and, only for records of
partitions whose last worker left its claim behind, a mark for each delivery. While no worker dies, this costs one object for each
membership change.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from aiokafka.errors import KafkaError

from streams.runtime.connections.connections import Connections
from streams.runtime.delivery.shared_exclusive_lock import SharedExclusiveLock
from streams.runtime.errors import Missing
from streams.runtime.kafka.ordered_acks import DEPTH
from streams.runtime.retrying import retry_until_available
from streams.wire.records import Place, Record

log = logging.getLogger(__name__)

MAX_DELIVERIES = 3
"""Marked deliveries of a record after which it is given up; the very first delivery is not marked."""
_RELEASE_TIMEOUT = 2.0
"""Seconds that a shutdown waits for the store."""


class DeliveryCounter:
    """Counts the deliveries of suspect records of one consumer group on one worker."""

    def __init__(
        self,
        connections: Connections,
        worker: str,
        group: str,
        lock: SharedExclusiveLock,
        assigned: Callable[[], frozenset[Place]],
        patience: float | None = None,
        depth: int = DEPTH,
    ) -> None:
        """Take `assigned`, which returns the partitions that the group's member has now.

        `patience`: seconds after which records are processed although the store has not said who had their partitions;
        None means that they wait for it. `depth`: records past the group's offset that may have been in progress when a worker
        died, the same as its member's.
        """
        self._connections, self._group, self._lock, self._assigned = connections, group, lock, assigned
        self._claim = f"deliveries/{group}/claims/{worker}"
        self._patience = patience
        self._depth = depth
        self._suspects: dict[Place, range] = {}
        self._ready: asyncio.Task[None] | None = None
        self._tidying = set[asyncio.Task[None]]()

    def claim(self) -> None:
        """Claim the partitions of a new generation; who had them is looked up before the first record."""
        if self._ready is not None:
            self._ready.cancel()
        self._ready = asyncio.create_task(self._take_over(self._assigned()), name=f"claims of {self._group}")

    async def release(self) -> None:
        """Delete the claim at an orderly shutdown, so that nobody suspects what the worker had in progress."""
        if self._ready is not None:
            self._ready.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_RELEASE_TIMEOUT):
                await asyncio.gather(*self._tidying, return_exceptions=True)
                await self._connections.store.delete([self._claim])

    @asynccontextmanager
    async def counting(self, record: Record) -> AsyncIterator[int]:
        """Yield how often a suspect record has been delivered without an end, this time included; 0 for any other record.

        To be held around the processing of the record. From the second such delivery on the record has the worker for itself,
        so that it alone is to blame for what happens.
        """
        while self._ready is not None and not self._ready.done():
            _, unknown = await asyncio.wait([self._ready], timeout=self._patience)
            if unknown:
                break
        if record.offset not in self._suspects.get(record.place, ()):
            async with self._lock.shared():
                yield 0
            return
        marks = f"deliveries/{self._group}/{record.place.topic}/{record.place.partition}/{record.offset}/"
        times = 1 + len(await self._connections.store.list(marks))
        if times > 1:
            log.warning("%s was delivered %d times and never processed to its end", record.where, times)
        # Marked inside the lock: while the record waits, it cannot be to blame.
        async with self._lock.exclusive() if times > 1 else self._lock.shared():
            await self._connections.store.create(f"{marks}{times}", b"")
            try:
                yield times
            finally:  # whatever happened, the worker is alive
                tidying = asyncio.create_task(
                    self._connections.store.delete(f"{marks}{n}" for n in range(1, times + 1))
                )
                self._tidying.add(tidying)
                tidying.add_done_callback(self._tidying.discard)
                await asyncio.shield(tidying)

    async def _take_over(self, places: frozenset[Place]) -> None:
        abandoned = await self._abandoned(places)
        ranges = await retry_until_available(
            self._connections.outages, "kafka", lambda: self._ranges(abandoned), KafkaError, OSError
        )
        kept = {place: offsets for place, offsets in self._suspects.items() if place in places}
        self._suspects = {**kept, **ranges}
        await self._connections.store.write(self._claim, _claim(places), "application/json")
        if abandoned:
            log.info("%s: the last worker of %d of its partitions died", self._group, len(abandoned))

    async def _abandoned(self, places: frozenset[Place]) -> frozenset[Place]:
        """Return the partitions that another worker claimed and did not release, and end its claim to them."""
        abandoned = set[Place]()
        for key in await self._connections.store.list(f"deliveries/{self._group}/claims/"):
            if key == self._claim:
                continue
            try:
                claimed = {Place(*fields) for fields in json.loads(await self._connections.store.read(key))}
            except (Missing, ValueError, TypeError):  # released just now
                continue
            if not claimed & places:
                continue
            abandoned |= claimed & places
            if rest := claimed - places:
                await self._connections.store.write(key, _claim(rest), "application/json")
            else:
                await self._connections.store.delete([key])
        return frozenset(abandoned)

    async def _ranges(self, places: Iterable[Place]) -> dict[Place, range]:
        """Return the offsets of each partition that may have been in progress."""
        places = frozenset(places)
        if not places:
            return {}
        starts, ends = (
            await self._connections.offsets.starts(self._group, places),
            await self._connections.offsets.ends(places),
        )
        return {place: range(starts[place], min(ends[place], starts[place] + self._depth)) for place in places}


def _claim(places: Iterable[Place]) -> bytes:
    return json.dumps(sorted([place.topic, place.partition] for place in places)).encode()
