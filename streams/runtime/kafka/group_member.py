"""One member of one consumer group: its records are handled concurrently and acknowledged in order."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from streams.kafka_settings import Brokers
from streams.reader_trouble import Trouble
from streams.runtime.kafka.faust_agent import FaustAgent
from streams.runtime.kafka.ordered_acks import DEPTH, OrderedAcks
from streams.runtime.kafka.reading.batch import Batch
from streams.runtime.kafka.reading.group_reader import GroupReader
from streams.wire.records import Handler, Place, Record

log = logging.getLogger(__name__)

REBALANCE_PATIENCE = 3.0
"""Seconds that a rebalance waits for running work; work that takes longer continues, and is not repeated here."""
COMMIT_EVERY = 0.5
"""Seconds from the first settled record until the group's offsets are committed."""
_JOINING = 30.0
"""Seconds that joining the group may take before the start continues without it, or the subscription is repeated."""
_LEAVE = 10.0
"""Seconds that leaving the group may take."""


@dataclass(frozen=True)
class MemberOptions:
    """How a member works."""

    room: int = 64
    """Records in work at once, at most."""
    depth: int = DEPTH
    """Records of a partition that wait for an older one, at most."""
    patience: float = REBALANCE_PATIENCE
    """Seconds that a rebalance waits for running work."""
    on_generation: Callable[[], None] | None = None
    """Is called when the partitions of a new generation are known, before the first of its records."""
    skips: Callable[[Record], bool] = lambda _: False
    """Returns whether a record needs no work; it is acknowledged in its turn."""
    allowed: Callable[[], float] = lambda: 0.0
    """Returns the seconds that the work in hand may take by limits of its own."""


class GroupMember:
    """Handles the records of `topics` with `handle`. A record is acknowledged once all before it in its partition are handled."""

    def __init__(
        self,
        group: str,
        topics: Iterable[str],
        handle: Handler,
        brokers: Brokers,
        options: MemberOptions = MemberOptions(),  # frozen
    ) -> None:
        self.group = group
        self.allowed = options.allowed
        self.failure: str | None = None
        """Why this member cannot go on, so that the worker must be restarted; None while it can."""
        self.failed = asyncio.Event()
        self.acks = OrderedAcks(
            handle, settled=self._settle, room=options.room, depth=options.depth, skips=options.skips
        )
        self._patience = options.patience
        self._on_generation = options.on_generation
        self._epoch = 0
        self._assigned: frozenset[Place] = frozenset()
        self._revoked = True
        self._stopping = False
        self._joined = asyncio.Event()
        """Set when partitions are assigned; cleared by the call that waits for the next time."""
        self._positions: dict[Place, int] = {}
        self._done: dict[Place, int] = {}
        """Settled offsets that are not committed yet."""
        self._committing: asyncio.TimerHandle | None = None
        self._reader = GroupReader(brokers, group, topics, assigned=self._take_over, revoked=self._release)
        self._agent = FaustAgent(group, self._take, self.broken)

    @property
    def topics(self) -> frozenset[str]:
        """The topics that this member reads."""
        return self._reader.topics

    @property
    def assigned(self) -> frozenset[Place]:
        """The partitions that it has now; empty during a rebalance."""
        return frozenset() if self._revoked else self._assigned

    @property
    def partitions(self) -> frozenset[Place]:
        """The partitions that were assigned last."""
        return self._assigned

    @property
    def positions(self) -> Mapping[Place, int]:
        """The first offset of each partition that is not handled yet; BEGINNING if none is and the log is read from its start."""
        return self._positions

    @property
    def generation(self) -> int:
        """A number that grows with each assignment of partitions to this member."""
        return self._epoch

    @property
    def trouble(self) -> Trouble | None:
        """Why it cannot read at the moment, though it keeps trying; None while it reads."""
        return self._reader.trouble

    async def start(self) -> None:
        """Join the group, in the background if that takes long. Raises KafkaError when the client cannot be made."""
        await self._agent.start()
        await self._reader.start()
        self._agent.feed(self._reader.next)
        if not await self._join():
            log.warning("%s has not joined its group in %g s and keeps trying", self.group, _JOINING)

    async def stop(self, grace: float) -> None:
        """Stop fetching, give running work `grace` seconds, commit what is done and leave the group.

        Work that has not ended by then is cancelled before the parts that it uses are closed: it must not report that as a
        failure of its own.
        """
        self._stopping = True
        self._revoked = True
        await self.acks.drain(grace)
        leaving = asyncio.ensure_future(self._reader.stop())
        _, late = await asyncio.wait([leaving], timeout=_LEAVE)
        if late:
            log.warning("%s did not leave its group in %g s; the broker will notice", self.group, _LEAVE)
        if self._committing is not None:
            self._committing.cancel()
        await self._agent.stop()
        await self.acks.break_off()

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Read these existing topics too. Returns when the rebalance that follows has taken effect."""
        fresh = sorted(set(topics) - self.topics)
        if not fresh:
            return
        log.info("%s now also reads %s", self.group, ", ".join(fresh))
        while not self._stopping:
            self._joined.clear()
            self._reader.subscribe(self.topics | set(fresh))
            if await self._join():
                return
            log.warning("%s does not read %s after %g s: subscribing again", self.group, ", ".join(fresh), _JOINING)

    def broken(self, reason: str) -> None:
        """Note that this member cannot go on."""
        if self.failure is None and not self._stopping:
            self.failure = f"{self.group}: {reason}"
            log.error("%s", self.failure)
            self.failed.set()

    async def _join(self) -> bool:
        """Wait for an assignment; return whether it came in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_JOINING):
                await self._joined.wait()
                return True
        return False

    def _take_over(self, epoch: int, starts: Mapping[Place, int]) -> None:
        """Begin a new generation with these partitions."""
        self._assigned = frozenset(starts)
        self._positions = dict(starts)
        self._epoch = epoch
        self._revoked = self._stopping
        self.acks.open(epoch)
        self._joined.set()
        log.info("%s has %d partitions", self.group, len(starts))
        if self._on_generation is not None and not self._stopping:
            self._on_generation()

    async def _release(self, lost: bool) -> Mapping[Place, int]:
        """Release the partitions after waiting a little for running work. Returns the settled offsets to commit."""
        self._revoked = True
        await self.acks.drain(0 if self._stopping or lost else self._patience)
        self.acks.close()
        done, self._done = self._done, {}
        return done

    def _settle(self, place: Place, offset: int) -> None:
        self._done[place] = self._positions[place] = offset
        if self._committing is None:
            self._committing = asyncio.get_running_loop().call_later(COMMIT_EVERY, self._commit)

    def _commit(self) -> None:
        self._committing = None
        done, self._done = self._done, {}
        self._reader.commit(self._epoch, done)

    async def _take(self, batch: Batch) -> None:
        for record in batch.records:
            if self._revoked:
                return  # of a generation that is over: the partition's next owner gets it again
            await self.acks.put(record, batch.epoch)
