"""Liveness by progress: a member that has lag and finishes nothing for long is stuck, however alive its process looks."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aiokafka.errors import KafkaError

from streams.runtime.errors import Stuck
from streams.runtime.kafka.group_member import GroupMember
from streams.runtime.kafka.offsets import Offsets
from streams.runtime.kafka.reading.positions import BEGINNING
from streams.runtime.retrying import Outages
from streams.wire.records import Place

log = logging.getLogger(__name__)

IDLE = 60.0
"""Seconds without progress, with lag and no work in progress, after which a member is stuck."""
BUSY = 900.0
"""The same with work in progress, on top of the longest time that this work may take by its own limits."""
SLOW = 3.0
"""Seconds of a cluster's response time from which it, or this machine, counts as overloaded, so that idle members are excused."""


@dataclass
class _Seen:
    mark: tuple[int, int]
    since: float


class Liveness:
    """Watches the members of a worker. Call `check` every few seconds."""

    def __init__(
        self,
        members: Sequence[GroupMember],
        offsets: Offsets,
        outages: Outages,
        idle: float = IDLE,
        busy: float = BUSY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._members = members
        self._offsets = offsets
        self._outages = outages
        self._idle = idle
        self._busy = busy
        self._clock = clock
        self._seen: dict[str, _Seen] = {}
        self._checked = clock()
        self._unavailable = False
        self._slow = False

    async def check(self) -> dict[str, int]:
        """Return the lag of every member, in records. Raises Stuck.

        No member counts as stuck while the cluster does not answer or is slow, or while its own client reports what is wrong.
        """
        now = self._clock()
        if now - self._checked > self._idle:  # this process or the cluster stood still
            self._seen.clear()
        self._checked = now
        try:
            ends = await self._offsets.ends({place for member in self._members for place in member.positions})
            self._unavailable = False
            self._slow = self._clock() - now > SLOW
        except (KafkaError, OSError) as error:
            if not self._unavailable:
                log.warning("the ends of the topics are unknown: %s", error)
            self._unavailable = True
            ends = None
        return {member.group: await self._check(member, ends) for member in self._members}

    async def _check(self, member: GroupMember, ends: Mapping[Place, int] | None) -> int:
        now = self._clock()
        mark = (member.acks.settled, member.generation)
        seen = self._seen.get(member.group)
        if seen is None or seen.mark != mark or self._outages.now():
            seen = self._seen[member.group] = _Seen(mark, now)
        limit = self._busy + member.allowed() if member.acks.in_flight else self._idle
        try:
            behind = {} if ends is None else await self._behind(member.positions, ends)
            lag = sum(map(len, behind.values()))
            suspected = now - seen.since > limit and not member.acks.in_flight
            excused = member.trouble is not None or (self._slow and not member.acks.in_flight)
            if not lag or excused or (suspected and not await self._any(behind)):
                seen.since = now
        except (KafkaError, OSError):
            seen.since = now
            return 0
        if now - seen.since > limit:
            raise Stuck(f"{member.group}: {lag} records wait and none was finished for {now - seen.since:.0f} s")
        return lag

    async def _behind(self, positions: Mapping[Place, int], ends: Mapping[Place, int]) -> dict[Place, range]:
        """Return the offsets of each partition that are not finished."""
        starts = {place: offset for place, offset in positions.items() if offset != BEGINNING}
        starts |= await self._offsets.beginnings(positions.keys() - starts.keys())
        return {place: range(start, max(start, ends.get(place, start))) for place, start in starts.items()}

    async def _any(self, behind: Mapping[Place, range]) -> bool:
        """Return whether any record waits: offsets at the end of a log may be transaction markers of other producers."""
        for place, offsets in behind.items():
            if offsets and await self._offsets.has_records(place, offsets.start, offsets.stop):
                return True
        return False
