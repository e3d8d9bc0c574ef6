"""Reading a whole topic without a group, to its end and on: how each process keeps its own copy of a small topic."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.brokers import Brokers
from streams.records import Record
from streams.runtime.backoff import delays
from streams.runtime.probe import record_of

log = logging.getLogger(__name__)


class Tail:
    """Calls `take` for every record of a topic, from its start (or from `since` seconds ago), then as they come.

    `ready` is set once everything that stood in the topic at the start has been taken. A record may be taken twice
    after a lost connection; `take` must not raise.
    """

    def __init__(
        self, brokers: Brokers, topic: str, take: Callable[[Record], Awaitable[None]], *, since: float | None = None
    ) -> None:
        self._brokers = brokers
        self._topic = topic
        self._take = take
        self._since = since
        self.ready = asyncio.Event()
        self.advanced = asyncio.Condition()
        """Notified after records were taken."""
        self._task: asyncio.Task[None] | None = None
        self._next: dict[TopicPartition, int] = {}

    async def start(self) -> None:
        """Begins to read and returns when the topic's present end is reached."""
        self._task = asyncio.create_task(self._run(), name=f"tail {self._topic}")
        ready = asyncio.create_task(self.ready.wait())
        await asyncio.wait({ready, self._task}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self._task.done():
            self._task.result()

    async def stop(self) -> None:
        """Ends the reading."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        waits = delays()
        while True:
            try:
                await self._read()
            except (KafkaError, OSError) as error:
                log.warning("reading %s failed (%s): trying again", self._topic, error)
                await asyncio.sleep(next(waits))

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(
            self._topic, **self._brokers.aiokafka(), enable_auto_commit=False, fetch_max_wait_ms=500
        )
        try:
            await consumer.start()
            places = await self._assign(consumer)
            ends = await consumer.end_offsets(places)
            while True:
                if not self.ready.is_set() and all([await consumer.position(tp) >= ends[tp] for tp in places]):
                    self.ready.set()
                batches = await consumer.getmany(timeout_ms=500)
                for tp, records in batches.items():
                    for record in records:
                        await self._take(record_of(record))
                    self._next[tp] = records[-1].offset + 1
                if batches:
                    async with self.advanced:
                        self.advanced.notify_all()
        finally:
            await consumer.stop()

    async def _assign(self, consumer: AIOKafkaConsumer) -> list[TopicPartition]:
        # Subscribed only to learn the partitions, which a client knows of its own topics alone.
        places = sorted(consumer.assignment())
        consumer.unsubscribe()
        consumer.assign(places)
        begin = await consumer.beginning_offsets(places)
        if self._since is not None and not self._next:
            moment = int((time.time() - self._since) * 1000)
            found = await consumer.offsets_for_times(dict.fromkeys(places, moment))
            ends = await consumer.end_offsets(places)
            begin = {tp: found[tp].offset if found[tp] else ends[tp] for tp in places}
        for tp in places:
            consumer.seek(tp, self._next.get(tp, begin[tp]))
        return places
