"""A busy cluster is no reason to end a worker: its members wait as long for their records as others for their answers."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import cast

from streams.reader_trouble import Trouble
from streams.runtime.errors import Stuck
from streams.runtime.kafka.group_member import GroupMember
from streams.runtime.kafka.offsets import Offsets
from streams.runtime.retrying import Outages
from streams.runtime.worker.health.liveness import IDLE, SLOW, Liveness
from streams.wire.records import Place

PLACE = Place("t", 0)


@dataclass
class Acks:
    """Nothing in hand, and nothing ever finished."""

    settled: int = 0
    in_flight: int = 0


@dataclass
class Idler:
    """A member that has read nothing."""

    acks: Acks = field(default_factory=Acks)
    group: str = "g"
    generation: int = 1
    trouble: Trouble | None = None
    positions: dict[Place, int] = field(default_factory=lambda: {PLACE: 0})

    def allowed(self) -> float:
        """Nothing is in hand."""
        return 0.0


@dataclass
class Cluster:
    """Ten records wait; each answer takes so many seconds."""

    takes: float
    now: float = 0.0

    async def ends(self, _: Iterable[Place]) -> dict[Place, int]:
        """Where the log ends."""
        self.now += self.takes
        return {PLACE: 10}

    async def beginnings(self, _: Iterable[Place]) -> dict[Place, int]:
        """All positions are known."""
        return {}

    async def has_records(self, *_: object) -> bool:
        """They are there."""
        return True


def ended(takes: float, trouble: Trouble | None = None) -> bool:
    """Whether a worker would end in the time that it has."""

    async def main() -> bool:
        cluster = Cluster(takes)
        members = [cast(GroupMember, Idler(trouble=trouble))]
        liveness = Liveness(members, cast(Offsets, cluster), Outages(), clock=lambda: cluster.now)
        try:
            while cluster.now < 3 * IDLE:
                cluster.now += 5.0
                await liveness.check()
        except Stuck:
            return True
        return False

    return asyncio.run(main())


def test_reading_nothing_from_a_quick_cluster_is_stuck() -> None:
    """Then it is not the cluster's doing."""
    assert ended(0.01)


def test_reading_nothing_from_a_slow_cluster_is_live() -> None:
    """A new start would find the same cluster, and cost it more."""
    assert not ended(2 * SLOW)


def test_a_worker_that_reports_why_it_cannot_read_is_live() -> None:
    """Health, explain and status show it; a new start would say the same."""
    assert not ended(0.01, Trouble("g", "it may not", 0.0, "t"))
