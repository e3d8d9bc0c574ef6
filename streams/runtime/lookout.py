"""Records that the client passed over with none after them: found by the log's end, and gone back for.

A client drops what it has fetched around a change of membership or subscription, and its position stays behind it. When another
record comes, the lanes notice; when none does, nobody would.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping

from streams.records import Place
from streams.runtime.lanes import Lanes, Rewind

log = logging.getLogger(__name__)

Ends = Callable[[Iterable[Place]], Awaitable[Mapping[Place, int]]]
"""The offset that each partition's next record will have."""
Found = Callable[[Place, int, int], Awaitable[bool]]
"""Whether any record exists in [start, stop)."""


class Lookout:
    """Looks now and then; what has not come between two looks although it exists, and although there was room, is gone back for."""

    def __init__(self, lanes: Lanes, *, ends: Ends, found: Found, rewind: Rewind) -> None:
        self._lanes = lanes
        self._ends = ends
        self._found = found
        self._rewind = rewind
        self._before: dict[Place, int] = {}
        self._empty: dict[Place, tuple[int, int]] = {}

    async def look(self) -> None:
        """Looks once. Raises KafkaError when the cluster does not answer."""
        expected = {} if self._lanes.busy else self._lanes.expected()
        ends = await self._ends(expected) if expected else {}
        behind = {place: offset for place, offset in expected.items() if offset < ends[place]}
        before, self._before = self._before, behind
        for place, offset in behind.items():
            if before.get(place) == offset and self._empty.get(place) != (offset, ends[place]):
                await self._go_back(place, offset, ends[place])

    async def _go_back(self, place: Place, offset: int, end: int) -> None:
        if not await self._found(place, offset, end):  # retention, compaction, or the marker of a transaction
            self._empty[place] = offset, end
        elif self._lanes.expected().get(place) == offset:
            log.warning("%s/%d@%d did not come: going back for it", place.topic, place.partition, offset)
            await self._rewind(place, offset)
