"""Reading as a member of a consumer group: what the group assigns, from where the group has committed."""

import asyncio
import concurrent.futures
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from confluent_kafka import KafkaError as ClientError
from confluent_kafka import KafkaException, TopicPartition

from streams.kafka_settings import Brokers
from streams.runtime.kafka.positions import BEGINNING
from streams.runtime.kafka.reader import Reader
from streams.wire.records import Place

log = logging.getLogger(__name__)

_GROUP: Mapping[str, Any] = {
    # Topics with the same partition count go to the members in the same way: flow's requests meet its tokens.
    "partition.assignment.strategy": "range",
    "session.timeout.ms": 6000,
    "heartbeat.interval.ms": 1000,
}
_ASK = 5.0
"""Seconds that a question for committed offsets may take before it is asked again."""
_LETTING_GO = 30.0
"""Seconds that the loop gets to let partitions go, at most; it has a limit of its own below this."""

Assigned = Callable[[int, Mapping[Place, int]], None]
"""Hears of a new assignment, before the first of its records: its number, which its batches carry, and where each partition begins."""
Revoked = Callable[[bool], Coroutine[Any, Any, Mapping[Place, int]]]
"""Lets the partitions go and gives the offsets to be committed. Its argument: whether they are somebody else's already."""


class GroupReader(Reader):
    """A reader whose partitions are those that the group gives it. `assigned` and `revoked` are called on the loop."""

    def __init__(
        self, brokers: Brokers, group: str, topics: Iterable[str], *, assigned: Assigned, revoked: Revoked
    ) -> None:
        config = {**_GROUP, "group.id": group, "client.id": group, "on_commit": self._after_commit}
        super().__init__(brokers, group, config)
        self._topics = frozenset(topics)
        self._on_assigned = assigned
        self._on_revoked = revoked
        self._changed = False
        """Whether the subscription is to be said anew."""
        self._to_commit: deque[tuple[int, Mapping[Place, int]]] = deque()
        self._uncommitted: dict[Place, int] = {}
        """Commits that are under way."""

    @property
    def topics(self) -> frozenset[str]:
        """What it reads."""
        return self._topics

    def subscribe(self, topics: Iterable[str]) -> None:
        """Reads these topics and no others, within a moment; a change of membership follows."""
        self._topics = frozenset(topics)
        self._changed = True

    def commit(self, epoch: int, offsets: Mapping[Place, int]) -> None:
        """Commits offsets of this assignment within a moment; what fails is committed again until something newer is."""
        self._to_commit.append((epoch, offsets))

    # On the thread --------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._subscribe()

    def _work_off(self) -> None:
        if self._changed:
            self._changed = False
            self._subscribe()
        offsets = self._wanted()
        if offsets:
            self._consumer.commit(offsets=_partitions(offsets), asynchronous=True)
            self._uncommitted.update(offsets)

    def _wanted(self) -> dict[Place, int]:
        """What was asked to be committed since, as far as it is of this assignment."""
        wanted: dict[Place, int] = {}
        while self._to_commit:
            epoch, offsets = self._to_commit.popleft()
            if epoch == self._epoch:
                wanted.update(offsets)
        return wanted

    def _end(self) -> None:
        if self._positions.now():
            self._let_go(lost=False)

    def _subscribe(self) -> None:
        self._consumer.subscribe(
            sorted(self._topics), on_assign=self._take_over, on_revoke=self._give_up, on_lost=self._lose
        )

    def _commit_now(self, offsets: Mapping[Place, int]) -> None:
        if not offsets:
            return
        try:
            self._consumer.commit(offsets=_partitions(offsets), asynchronous=False)
        except KafkaException as error:  # whoever has the partitions next does again what was not committed
            log.warning("%s: what was done last could not be committed: %s", self.name, error.args[0].str())

    def _after_commit(self, error: ClientError | None, partitions: list[TopicPartition]) -> None:
        for one in partitions:
            place = Place(one.topic, one.partition)
            if self._uncommitted.get(place) == one.offset:
                if error is None and one.error is None:
                    del self._uncommitted[place]
                elif not self._stopping.is_set():  # again, unless something newer is on its way
                    self._to_commit.appendleft((self._epoch, {place: one.offset}))

    def _take_over(self, _: Any, partitions: list[TopicPartition]) -> None:
        # Asked here and not left to the client: an offset that is not known must never be taken for one that was never committed.
        try:
            starts = self._insist(lambda: self._committed(partitions)) if partitions else {}
        except KafkaException as error:
            if not self._stopping.is_set():
                self._say(f"its committed offsets are not to be had: {error.args[0].str()}")
            raise
        self._epoch += 1
        self._positions.begin(starts)
        self._assign()
        self._post(self._on_assigned, self._epoch, starts)

    def _committed(self, partitions: list[TopicPartition]) -> dict[Place, int]:
        starts = {}
        for one in self._consumer.committed(partitions, timeout=_ASK):
            if one.error is not None:
                raise KafkaException(one.error)
            starts[Place(one.topic, one.partition)] = one.offset if one.offset >= 0 else BEGINNING
        return starts

    def _give_up(self, *_: Any) -> None:
        self._let_go(lost=False)

    def _lose(self, *_: Any) -> None:
        self._let_go(lost=True)

    def _let_go(self, *, lost: bool) -> None:
        offsets: Mapping[Place, int] = {}
        try:
            offsets = asyncio.run_coroutine_threadsafe(self._on_revoked(lost), self._loop).result(_LETTING_GO)
        except (concurrent.futures.TimeoutError, concurrent.futures.CancelledError, RuntimeError) as error:
            log.warning("%s: the work on its partitions was not let go in order: %r", self.name, error)
        if not lost:
            self._commit_now({**self._uncommitted, **self._wanted(), **offsets})
        self._uncommitted.clear()
        self._epoch += 1
        self._positions.begin({})
        self._consumer.unassign()


def _partitions(offsets: Mapping[Place, int]) -> list[TopicPartition]:
    return [TopicPartition(*place, offset) for place, offset in offsets.items()]
