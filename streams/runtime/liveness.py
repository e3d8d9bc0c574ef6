"""Liveness by progress against lag: a member that has work and does none for long is stuck, whatever its process says."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aiokafka.errors import KafkaError

from streams.records import Place
from streams.runtime.app import Member
from streams.runtime.backoff import Outages
from streams.runtime.errors import Stuck
from streams.runtime.probe import Probe

log = logging.getLogger(__name__)

IDLE = 60.0
"""Seconds without progress, with lag and nothing in hand, after which a member is stuck."""
BUSY = 900.0
"""The same with work in hand, beyond what that work may take by its own limits."""


@dataclass
class _Seen:
    mark: tuple[int, int]
    since: float


class Liveness:
    """Watches the members of a worker. `check` is to be called every few seconds."""

    def __init__(
        self,
        members: Sequence[Member],
        probe: Probe,
        outages: Outages,
        idle: float = IDLE,
        busy: float = BUSY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._members = members
        self._probe = probe
        self._outages = outages
        self._idle = idle
        self._busy = busy
        self._clock = clock
        self._seen: dict[str, _Seen] = {}
        self._checked = clock()
        self._away = False

    async def check(self) -> dict[str, int]:
        """The lag of every member. Raises Stuck. A cluster that does not answer says nothing about a member."""
        now = self._clock()
        if now - self._checked > self._idle:  # this process stood still itself, or the cluster did
            self._seen.clear()
        self._checked = now
        lags: dict[str, int] = {}
        for member in self._members:
            lags[member.group] = await self._check(member)
        return lags

    async def _check(self, member: Member) -> int:
        now = self._clock()
        mark = (member.lanes.settled, member.generation)
        seen = self._seen.get(member.group)
        if seen is None or seen.mark != mark or self._outages.now():
            seen = self._seen[member.group] = _Seen(mark, now)
        try:
            behind = await self._probe.behind(member.group, member.partitions)
            lag = sum(len(offsets) for offsets in behind.values())
            limit = self._busy + member.allowed() if member.lanes.in_flight else self._idle
            suspected = now - seen.since > limit and not member.lanes.in_flight
            if not lag or (suspected and not await self._any(behind)):
                seen.since = now
        except (KafkaError, OSError) as error:
            if not self._away:
                log.warning("the lag of %s is not known: %s", member.group, error)
            self._away = True
            seen.since = now
            return 0
        self._away = False
        if now - seen.since > limit:
            raise Stuck(f"{member.group}: {lag} records wait and none was finished for {now - seen.since:.0f} s")
        return lag

    async def _any(self, behind: Mapping[Place, range]) -> bool:
        """Whether any record waits: the offsets at the end of a log may be those of markers of other people's transactions."""
        for place, offsets in behind.items():
            if offsets and await self._probe.found(place, offsets.start, offsets.stop):
                return True
        return False
