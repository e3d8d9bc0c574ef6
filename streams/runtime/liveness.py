"""Liveness by progress against lag: a member that has work and does none for long is stuck, whatever its process says."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka.errors import KafkaError

from streams.runtime.app import Member
from streams.runtime.backoff import Outages
from streams.runtime.errors import Stuck
from streams.runtime.probe import Probe

log = logging.getLogger(__name__)

IDLE = 60.0
"""Seconds without progress, with lag and nothing in hand, after which a member is stuck."""
BUSY = 900.0
"""The same with work in hand: bodies have time limits of their own, far below this."""


@dataclass
class _Seen:
    mark: tuple[int, int]
    since: float


class Liveness:
    """Watches the members of a worker."""

    def __init__(
        self, members: Sequence[Member], probe: Probe, outages: Outages, idle: float = IDLE, busy: float = BUSY
    ) -> None:
        self._members = members
        self._probe = probe
        self._outages = outages
        self._idle = idle
        self._busy = busy
        self._seen: dict[str, _Seen] = {}

    async def check(self) -> dict[str, int]:
        """The lag of every member. Raises Stuck. A cluster that does not answer says nothing about a member."""
        lags: dict[str, int] = {}
        for member in self._members:
            lags[member.group] = await self._check(member)
        return lags

    async def _check(self, member: Member) -> int:
        now = time.monotonic()
        mark = (member.lanes.settled, member.generation)
        seen = self._seen.get(member.group)
        if seen is None or seen.mark != mark or self._outages.now():
            seen = self._seen[member.group] = _Seen(mark, now)
        try:
            lag = sum((await self._probe.lag(member.group, member.partitions)).values())
        except KafkaError as error:
            log.warning("the lag of %s is not known: %s", member.group, error)
            seen.since = now
            return 0
        if not lag:
            seen.since = now
        limit = self._busy if member.lanes.in_flight else self._idle
        if now - seen.since > limit:
            raise Stuck(f"{member.group}: {lag} records wait and none was finished for {now - seen.since:.0f} s")
        return lag
