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
from streams.runtime.kafka.reading.positions import BEGINNING
from streams.runtime.kafka.reading.reader import Reader
from streams.wire.records import Place

log = logging.getLogger(__name__)

_GROUP: Mapping[str, Any] = {
    # Topics with the same partition count are assigned alike: the member that has flow's tokens has its requests.
    "partition.assignment.strategy": "range",
    "session.timeout.ms": 6000,
    "heartbeat.interval.ms": 1000,
    # A commit on its way to a broker that stood still holds up joining again for as long as this. The client's default of 60 s
    # is as long as a worker may stand still.
    "socket.timeout.ms": 10_000,
}
_ASK = 5.0
"""Seconds that a question for committed offsets may take before it is asked again."""
_RELEASING = 30.0
"""Seconds that the loop gets to release partitions, at most; it has a lower limit of its own."""

Assigned = Callable[[int, Mapping[Place, int]], None]
"""Is called for a new assignment, before the first of its records, with its epoch, which its batches carry, and the start offsets."""
Revoked = Callable[[bool], Coroutine[Any, Any, Mapping[Place, int]]]
"""Releases the partitions and returns the offsets to commit. Its argument: whether another member has them already."""


class GroupReader(Reader):
    """Reads the partitions that the group assigns. `assigned` and `revoked` are called on the loop."""

    def __init__(
        self, brokers: Brokers, group: str, topics: Iterable[str], *, assigned: Assigned, revoked: Revoked
    ) -> None:
        config = {**_GROUP, "group.id": group, "client.id": group, "on_commit": self._after_commit}
        super().__init__(brokers, group, config)
        self._topics = frozenset(topics)
        self._assigned = assigned
        self._revoked = revoked
        self._changed = False
        """Whether to subscribe again."""
        self._to_commit: deque[tuple[int, Mapping[Place, int]]] = deque()
        self._uncommitted: dict[Place, int] = {}
        """Offsets whose commits are in progress."""

    @property
    def topics(self) -> frozenset[str]:
        """The topics that it reads."""
        return self._topics

    def subscribe(self, topics: Iterable[str]) -> None:
        """Read only these topics from now on; a rebalance follows."""
        self._topics = frozenset(topics)
        self._changed = True

    def commit(self, epoch: int, offsets: Mapping[Place, int]) -> None:
        """Commit offsets of an assignment soon. A commit that fails is repeated until a newer one replaces it."""
        self._to_commit.append((epoch, offsets))

    # On the thread --------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._subscribe()

    def _work_off(self) -> None:
        if self._changed:
            self._changed = False
            self._subscribe()
        offsets = self._due_commits()
        if offsets:
            self._consumer.commit(offsets=_partitions(offsets), asynchronous=True)
            self._uncommitted.update(offsets)

    def _due_commits(self) -> dict[Place, int]:
        """Take the offsets to commit, of the present assignment only."""
        due: dict[Place, int] = {}
        while self._to_commit:
            epoch, offsets = self._to_commit.popleft()
            if epoch == self._assignment.epoch:
                due.update(offsets)
        return due

    def _end(self) -> None:
        if self._assignment.positions.now():
            self._release(lost=False)

    def _subscribe(self) -> None:
        self._consumer.subscribe(
            sorted(self._topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def _commit_now(self, offsets: Mapping[Place, int]) -> None:
        if not offsets:
            return
        try:
            self._consumer.commit(offsets=_partitions(offsets), asynchronous=False)
        except KafkaException as error:  # their next owner does again what was not committed
            log.warning("%s: the last offsets could not be committed: %s", self.name, error.args[0].str())

    def _after_commit(self, error: ClientError | None, partitions: list[TopicPartition]) -> None:
        for partition in partitions:
            place = Place(partition.topic, partition.partition)
            if self._uncommitted.get(place) != partition.offset:
                continue  # a newer one is on its way
            if error is None and partition.error is None:
                del self._uncommitted[place]
            elif not self._stopping.is_set():
                self._to_commit.appendleft((self._assignment.epoch, {place: partition.offset}))

    def _on_assign(self, _: Any, partitions: list[TopicPartition]) -> None:
        # Asked here and not left to the client: an unknown offset must never be taken for one that was never committed.
        try:
            starts = self._insist(lambda: self._committed(partitions)) if partitions else {}
        except KafkaException as error:
            if not self._stopping.is_set():
                self._report(f"its committed offsets cannot be read: {error.args[0].str()}")
            raise
        self._assignment.begin(starts)
        self._assignment.assign()
        self._post(self._assigned, self._assignment.epoch, starts)

    def _committed(self, partitions: list[TopicPartition]) -> dict[Place, int]:
        starts = {}
        for known in self._consumer.committed(partitions, timeout=_ASK):
            if known.error is not None:
                raise KafkaException(known.error)
            starts[Place(known.topic, known.partition)] = known.offset if known.offset >= 0 else BEGINNING
        return starts

    def _on_revoke(self, *_: Any) -> None:
        self._release(lost=False)

    def _on_lost(self, *_: Any) -> None:
        self._release(lost=True)

    def _release(self, *, lost: bool) -> None:
        offsets: Mapping[Place, int] = {}
        try:
            offsets = asyncio.run_coroutine_threadsafe(self._revoked(lost), self._loop).result(_RELEASING)
        except (concurrent.futures.TimeoutError, concurrent.futures.CancelledError, RuntimeError) as error:
            log.warning("%s: its partitions were not released in order: %r", self.name, error)
        if not lost:
            self._commit_now({**self._uncommitted, **self._due_commits(), **offsets})
        self._uncommitted.clear()
        self._assignment.begin({})
        self._consumer.unassign()


def _partitions(offsets: Mapping[Place, int]) -> list[TopicPartition]:
    return [TopicPartition(*place, offset) for place, offset in offsets.items()]
