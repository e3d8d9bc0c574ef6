"""Appending groups of records to a topic: the log has all records of a group, next to each other and in their order, or none."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from streams.background import ended
from streams.runtime.errors import Undeliverable
from streams.runtime.kafka.partitioner import partition_of
from streams.runtime.kafka.producer import Producer
from streams.wire.records import Outgoing

log = logging.getLogger(__name__)

_ENOUGH = 256 * 1024
"""Bytes of a batch to which no further group is added."""
_OVERHEAD = 100
"""Bytes that a record takes beside its key, value and headers, at most."""


@dataclass(frozen=True, slots=True)
class _Group:
    records: Sequence[Outgoing]
    size: int
    written: asyncio.Future[None]


class LogAppender:
    """Appends to one topic. Groups that come while a batch of their partition is on its way are written in the next one.

    So under load a request to the broker carries many groups, and a lone group waits for nothing.
    """

    def __init__(self, producer: Producer, topic: str) -> None:
        self.topic = topic
        self._producer = producer
        self._waiting: dict[int, deque[_Group]] = {}
        """Groups by partition; a partition is in it while a task writes to it."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def append(self, key: str, records: Sequence[Outgoing]) -> None:
        """Append records that all have this key, and return when every replica has them.

        A group that is too large for one batch is sent record by record, and may then be written in part. Raises Undeliverable
        when Kafka will never take a record, and ProducerStopped when the producer was stopped first. The topic must exist.
        """
        if not records:
            return
        assert all(record.key == key.encode() for record in records), "a group has one key, and so one partition"
        partition = partition_of(key, await self._producer.partitions(self.topic))
        group = _Group(records, sum(map(_size, records)), asyncio.get_running_loop().create_future())
        if (waiting := self._waiting.get(partition)) is not None:
            waiting.append(group)
        else:
            self._waiting[partition] = deque([group])
            task = asyncio.create_task(self._write(partition), name=f"appending to {self.topic}/{partition}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await group.written

    async def stop(self) -> None:
        """Stop writing; calls that wait for it are cancelled."""
        for task in list(self._tasks):
            await ended(task)

    async def _write(self, partition: int) -> None:
        """Write what waits for a partition, until nothing does."""
        waiting = self._waiting[partition]
        taken: list[_Group] = []
        try:
            while waiting:
                taken = _batch(waiting)
                await self._write_batch(partition, taken)
        finally:
            del self._waiting[partition]
            for group in [*taken, *waiting]:
                group.written.cancel()  # does nothing to those that are written

    async def _write_batch(self, partition: int, groups: Sequence[_Group]) -> None:
        try:
            await self._producer.send_batch(
                self.topic, partition, [record for group in groups for record in group.records]
            )
        except Undeliverable as error:
            if len(groups) > 1:  # one of them is to blame: the others must not suffer for it
                for group in groups:
                    await self._write_batch(partition, [group])
                return
            log.warning("%s: a group of %d records is sent one by one", error, len(groups[0].records))
            await self._write_apart(groups[0])
        except Exception as error:  # noqa: BLE001  # whatever it is, the owners of the groups are to know
            for group in groups:
                _settle(group, error)
        else:
            for group in groups:
                _settle(group)

    async def _write_apart(self, group: _Group) -> None:
        try:
            await self._producer.send_all(group.records)
        except Exception as error:  # noqa: BLE001  # as above
            _settle(group, error)
        else:
            _settle(group)


def _batch(waiting: deque[_Group]) -> list[_Group]:
    """Take the first group, and those behind it as long as the batch is small enough."""
    taken = [waiting.popleft()]
    size = taken[0].size
    while waiting and size + waiting[0].size <= _ENOUGH:
        taken.append(waiting.popleft())
        size += taken[-1].size
    return taken


def _size(record: Outgoing) -> int:
    headers = sum(len(name) + len(value or b"") + 8 for name, value in record.headers)
    return _OVERHEAD + len(record.key or b"") + len(record.value or b"") + headers


def _settle(group: _Group, error: Exception | None = None) -> None:
    if group.written.done():
        return  # its owner was cancelled
    if error is None:
        group.written.set_result(None)
    else:
        group.written.set_exception(error)
