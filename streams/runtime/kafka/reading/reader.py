"""Reading partitions with librdkafka on a thread of its own; batches of records are handed to the event loop.

The thread waits for the loop only for a moment: while the loop takes no batches, the partitions are paused, and the group
membership is served all the same.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from aiokafka.errors import KafkaError
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from streams.kafka_settings import Brokers
from streams.reader_trouble import Trouble
from streams.runtime.kafka import client
from streams.runtime.kafka.reading.asking import insist
from streams.runtime.kafka.reading.assignment import Assignment
from streams.runtime.kafka.reading.batch import Batch, BatchBuilder
from streams.runtime.kafka.reading.recovery import recover
from streams.wire.records import Place
from streams.wire.topics import READERS

log = logging.getLogger(__name__)
T = TypeVar("T")

MOST = 100
"""Records of a batch, at most."""
_AHEAD = 2
"""Batches that were handed over and not taken yet, at most."""
_POLL = 0.5
"""Seconds until a stop is noticed, at most."""
_IDLE = 1.0
"""Seconds that the loop may take no batch before the partitions are paused."""
_ASK = 10.0
"""Seconds that a question to the cluster may take."""


class Reader:
    """Reads the partitions that a subclass assigns. `next` returns batches; taking the next one makes room for another.

    Records that cannot be decoded are skipped: each of their offsets comes as a record that says why.
    """

    def __init__(
        self, brokers: Brokers, name: str, config: Mapping[str, Any], *, most: int = MOST, pause: float = _POLL
    ) -> None:
        """`name` is used in messages and for the thread; `config` holds more of librdkafka's settings.

        `most`: records of a batch; `pause`: seconds until a stop is noticed, at most.
        """
        self.name = name
        self.trouble: Trouble | None = None
        """Why it cannot read at the moment; it keeps trying. None while it reads."""
        self._brokers = brokers
        self._config = config
        self._most = most
        self._poll = pause
        self._assignment = Assignment()
        self._room = threading.Semaphore(_AHEAD)
        self._stopping = threading.Event()
        self._lent = False
        """Whether the loop has a batch whose room is not released yet."""
        self._batches: asyncio.Queue[Batch | KafkaError] = asyncio.Queue()
        self._late: list[tuple[int, Message]] = []
        """Messages that came when there was no room for them, each with the epoch of its assignment."""
        self._consumer: Consumer
        self._loop: asyncio.AbstractEventLoop
        self._ended: asyncio.Future[None]
        self._thread: threading.Thread | None = None

    async def start(self) -> None:
        """Start to read. Raises KafkaError when the client cannot be made."""
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        begun: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, args=(begun,), name=f"reader of {self.name}", daemon=True)
        self._thread.start()
        await begun

    async def stop(self) -> None:
        """Stop reading, and return when the client is closed."""
        if self._thread is not None:
            self._stopping.set()
            await asyncio.shield(self._ended)

    async def next(self) -> Batch:
        """Wait for the next batch. Raises KafkaError when reading has ended."""
        if self._lent:
            self._lent = False
            self._room.release()
        batch = await self._batches.get()
        if isinstance(batch, KafkaError):
            self._batches.put_nowait(batch)
            raise batch
        self._lent = True
        return batch

    # Hooks of subclasses, called on the thread ------------------------------------------------------------------------

    def _begin(self) -> None:
        """Subscribe or assign."""
        raise NotImplementedError

    def _work_off(self) -> None:
        """Do what other threads asked for: they must not call the client while it polls."""

    def _end(self) -> None:
        """Release what is assigned, before the client is closed."""

    # On the thread --------------------------------------------------------------------------------------------------

    def _run(self, begun: asyncio.Future[None]) -> None:
        try:
            self._consumer = client.consumer(self._brokers, self._config)
            self._assignment.use(self._consumer)
            try:
                self._begin()
                self._post(_settle, begun, None)
                self._read()
            finally:
                self._end()
                self._consumer.close()
        except (KafkaException, KafkaError, OSError) as error:
            self._fail(begun, client.as_ours(error) if isinstance(error, KafkaException) else error)
        except Exception as error:
            log.exception("reading %s ended", self.name)
            self._fail(begun, error)
        finally:
            self._post(_settle, self._ended, None)

    def _fail(self, begun: asyncio.Future[None], error: Exception) -> None:
        self._post(_settle, begun, error)
        failure = error if isinstance(error, KafkaError) else KafkaError(f"{type(error).__name__}: {error}")
        self._post(self._batches.put_nowait, failure)

    def _read(self) -> None:
        while not self._stopping.is_set():
            if self._room.acquire(timeout=_IDLE):
                self._hand_over()
            else:
                self._hold()

    def _hand_over(self) -> None:
        """Read until there is a batch, and hand it to the loop."""
        while not self._stopping.is_set():
            batch = self._batch()
            if batch is not None:
                self._post(self._batches.put_nowait, batch)
                return

    def _hold(self) -> None:
        """Serve the membership while the loop takes no batches, and leave records with the broker."""
        self._assignment.pause()
        while not self._stopping.is_set() and not self._room.acquire(timeout=self._poll):
            self._work_off()
            message = self._consumer.poll(0)
            if message is not None:
                self._late.append((self._assignment.epoch, message))
        self._room.release()
        self._assignment.resume()

    def _batch(self) -> Batch | None:
        """Collect what is there, and wait only for the first message. None when nothing came."""
        self._work_off()
        late = deque(message for epoch, message in self._late if epoch == self._assignment.epoch)
        self._late = []
        message = late.popleft() if late else self._consumer.poll(self._poll)
        builder = self._builder()
        while message is not None:
            if builder.epoch != self._assignment.epoch:  # what came before belongs to an assignment that is over
                builder = self._builder()
            builder.add(message)
            if len(builder.records) >= self._most:
                break
            message = late.popleft() if late else self._consumer.poll(0)
        self._late += [(builder.epoch, message) for message in late]
        if builder.epoch != self._assignment.epoch:
            return None
        if builder.unreadable or builder.lost:
            builder.records += recover(builder, self._assignment, self._range, self._report)
        return builder.build()

    def _builder(self) -> BatchBuilder:
        return BatchBuilder(self._assignment.epoch, self._assignment.positions, self._report)

    def _report(self, reason: str | None, place: Place | None = None) -> None:
        """Set the trouble, and log a new one; None clears it."""
        before = self.trouble
        if reason is None:
            self.trouble = None
        elif before is None or before.reason != reason:
            topic, partition = place or ("", None)
            self.trouble = Trouble(self.name, reason, before.since if before else time.time(), topic, partition)
            log.warning("%s", self.trouble)

    def _range(self, place: Place) -> tuple[int, int]:
        """Ask for the first offset of a partition, and for the one that its next record will have. Raises KafkaException."""
        partition = TopicPartition(*place)
        low, high = self._insist(lambda: self._consumer.get_watermark_offsets(partition, timeout=_ASK, cached=False))
        return low, high

    def _insist(self, ask: Callable[[], T]) -> T:
        """Ask the cluster until it answers. Raises KafkaException when it refuses, or when the reader is stopping."""
        return insist(ask, self._stopping, self._report)

    def _post(self, call: Callable[..., object], *arguments: object) -> None:
        """Call a function on the loop, unless the loop is closed."""
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            self._stopping.set()


def _settle(future: asyncio.Future[None], error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


class PartitionReader(Reader):
    """Reads given partitions from given offsets (or BEGINNING) on, without a group. Batches say where partitions end."""

    def __init__(
        self, brokers: Brokers, name: str, starts: Mapping[Place, int], *, most: int = 1000, pause: float = _POLL
    ) -> None:
        """`pause`: seconds until a stop is noticed, at most."""
        config = {"group.id": READERS, "enable.partition.eof": True}
        super().__init__(brokers, name, config, most=most, pause=pause)
        self._starts = starts

    def _begin(self) -> None:
        self._assignment.begin(self._starts)
        self._assignment.assign()
