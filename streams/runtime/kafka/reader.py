"""Reading partitions with librdkafka on a thread of its own; what comes is handed to the event loop in batches.

The thread never waits for the loop longer than a moment: while the loop does not take what there is, the partitions are paused and
membership is served all the same.
"""

import asyncio
import functools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiokafka.errors import KafkaError
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from confluent_kafka import KafkaError as ClientError

from streams.kafka_settings import Brokers
from streams.reader_trouble import Trouble
from streams.runtime.kafka import client
from streams.runtime.kafka.positions import BEGINNING, Positions
from streams.runtime.retrying import delays
from streams.wire.records import Place, Record
from streams.wire.topics import READERS

log = logging.getLogger(__name__)
T = TypeVar("T")

MOST = 100
"""Records of a batch, at most."""
_AHEAD = 2
"""Batches that were handed over and not taken yet, at most."""
_POLL = 0.5
"""Seconds until a stop is noticed, at most."""
_STILL = 1.0
"""Seconds that the loop may leave everything lying before the partitions are paused."""
_ASK = 10.0
"""Seconds that a question to the cluster may take."""
_PAUSE = 0.1
"""Seconds for which a client that lost its way is led elsewhere, before it is told where to go on."""
_LATER = frozenset(
    {
        ClientError._TIMED_OUT,
        ClientError._TRANSPORT,
        ClientError._ALL_BROKERS_DOWN,
        ClientError._WAIT_COORD,
        ClientError._IN_PROGRESS,
        ClientError.COORDINATOR_LOAD_IN_PROGRESS,
        ClientError.COORDINATOR_NOT_AVAILABLE,
        ClientError.NOT_COORDINATOR,
        ClientError.UNSTABLE_OFFSET_COMMIT,
        ClientError.LEADER_NOT_AVAILABLE,
        ClientError.NOT_LEADER_FOR_PARTITION,
    }
)
"""What a cluster says that does not know an answer yet. None of it means that there is nothing."""
_UNREADABLE = frozenset(
    {
        ClientError._BAD_MSG,
        ClientError._BAD_COMPRESSION,
        ClientError._NOT_IMPLEMENTED,  # a codec or a format that this client does not know
        ClientError._UNDERFLOW,
    }
)


@dataclass(frozen=True, slots=True)
class Batch:
    """Records in the order of each partition's log, of one assignment; `ends`: where partitions were read to their end."""

    epoch: int
    records: Sequence[Record] = ()
    ends: Mapping[Place, int] = field(default_factory=dict)


class Reader:
    """Reads partitions that it is assigned by whoever makes it. `next` gives batches; taking the next one frees the last.

    A batch of records that cannot be decoded is stepped over: each offset of it comes as a record that says so.
    """

    def __init__(
        self, brokers: Brokers, name: str, config: Mapping[str, Any], *, most: int = MOST, pause: float = _POLL
    ) -> None:
        """`name` is for messages and the thread; `config`: librdkafka's settings beside the usual ones."""
        self.name = name
        self.trouble: Trouble | None = None
        """Why it cannot go on at the moment; it tries all the time."""
        self._brokers = brokers
        self._config = config
        self._most = most
        self._poll = pause
        self._positions = Positions()
        self._epoch = 0
        self._room = threading.Semaphore(_AHEAD)
        self._stopping = threading.Event()
        self._holding = False
        self._lent = False
        self._batches: asyncio.Queue[Batch | KafkaError] = asyncio.Queue()
        self._late: list[tuple[int, Message]] = []
        """Messages that came when there was no room for them, each with the assignment that it is of."""
        self._consumer: Consumer
        self._loop: asyncio.AbstractEventLoop
        self._ended: asyncio.Future[None]
        self._thread: threading.Thread | None = None

    async def start(self) -> None:
        """Begins to read. Raises KafkaError when that cannot be."""
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        begun: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, args=(begun,), name=f"reader of {self.name}", daemon=True)
        self._thread.start()
        await begun

    async def stop(self) -> None:
        """Ends the reading; returns when the client is closed."""
        if self._thread is not None:
            self._stopping.set()
            await asyncio.shield(self._ended)

    async def next(self) -> Batch:
        """The next batch. Raises KafkaError when nothing more will come."""
        if self._lent:
            self._lent = False
            self._room.release()
        batch = await self._batches.get()
        if isinstance(batch, KafkaError):
            self._batches.put_nowait(batch)
            raise batch
        self._lent = True
        return batch

    # What a kind of reader does in its own way; called on the thread ------------------------------------------------

    def _begin(self) -> None:
        """Subscribes or assigns."""
        raise NotImplementedError

    def _work_off(self) -> None:
        """Does what was asked for on other threads: the client is not to be called while it polls."""

    def _end(self) -> None:
        """Lets go of what is assigned, before the client is closed."""

    # On the thread --------------------------------------------------------------------------------------------------

    def _run(self, begun: asyncio.Future[None]) -> None:
        try:
            self._consumer = client.consumer(self._brokers, self._config)
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
            if not self._room.acquire(timeout=_STILL):
                self._hold()
                continue
            while not self._stopping.is_set():
                batch = self._batch()
                if batch is not None:
                    self._post(self._batches.put_nowait, batch)
                    break

    def _hold(self) -> None:
        """The loop takes nothing: membership goes on, and records stay with the broker."""
        self._holding = True
        self._pause(self._positions.now())
        try:
            while not self._stopping.is_set() and not self._room.acquire(timeout=self._poll):
                self._work_off()
                message = self._consumer.poll(0)
                if message is not None:
                    self._late.append((self._epoch, message))
            self._room.release()
        finally:
            self._holding = False
        self._resume(self._positions.now())

    def _pause(self, places: Iterable[Place]) -> None:
        self._consumer.pause([TopicPartition(*place) for place in places])

    def _resume(self, places: Iterable[Place]) -> None:
        self._consumer.resume([TopicPartition(*place) for place in places])

    def _batch(self) -> Batch | None:
        """What is there: waits for the first message only. None when nothing came."""
        self._work_off()
        late = deque(message for epoch, message in self._late if epoch == self._epoch)
        self._late = []
        message = late.popleft() if late else self._consumer.poll(self._poll)
        epoch, records, ends = self._epoch, list[Record](), dict[Place, int]()
        astray, broken = set[Place](), dict[Place, str]()
        while message is not None:
            if epoch != self._epoch:  # what came before belongs to an assignment that is over
                epoch, records, ends, astray, broken = self._epoch, [], {}, set(), {}
            self._sort(message, records, ends, astray, broken)
            if len(records) >= self._most:
                break
            message = late.popleft() if late else self._consumer.poll(0)
        self._late += [(epoch, message) for message in late]
        if epoch != self._epoch:
            return None
        if broken or astray:
            records += self._find_way(broken, astray)
        return Batch(epoch, records, ends) if records or ends else None

    def _sort(
        self,
        message: Message,
        records: list[Record],
        ends: dict[Place, int],
        astray: set[Place],
        broken: dict[Place, str],
    ) -> None:
        error = message.error()
        if error is None:
            record = client.record_of(message)
            if record.place not in broken and record.place not in astray and self._positions.take(*record.spot):
                records.append(record)
            self.trouble = None
            return
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        place = Place(topic, partition) if topic is not None and partition is not None and partition >= 0 else None
        code = error.code()
        if place is not None and (place in broken or place in astray):
            return  # the client has lost its way: nothing that it says of this partition counts
        if place is not None and code == ClientError._PARTITION_EOF:
            ends[place] = offset or 0
            self._positions.reach(place, ends[place])
            self.trouble = None
        elif place is not None and code == ClientError._AUTO_OFFSET_RESET:
            astray.add(place)
        elif place is not None and code in _UNREADABLE:
            broken[place] = error.str()
        elif error.fatal():
            raise KafkaException(error)
        else:
            self._say(error.str(), place)

    def _say(self, reason: str, place: Place | None = None) -> None:
        before = self.trouble
        if before is None or before.reason != reason:
            topic, partition = place or ("", None)
            self.trouble = Trouble(self.name, reason, before.since if before else time.time(), topic, partition)
            log.warning("%s", self.trouble)

    def _find_way(self, broken: Mapping[Place, str], astray: Iterable[Place]) -> list[Record]:
        """Sets the client right where it lost its way, from what is known here; the records that could not be read."""
        passed = list[Record]()
        elsewhere = dict[Place, int]()
        epoch = self._epoch
        for place in {*broken, *astray}:
            try:
                low, high = self._insist(functools.partial(self._range, place))
            except KafkaException as error:
                self._say(error.args[0].str(), place)
                continue
            corrected = self._positions.within(place, low, high)
            if corrected is not None and corrected[0] != BEGINNING:
                log.warning("%s/%d has the offsets %d to %d: going on at %d", *place, low, high, corrected[1])
            if place in broken:
                offset = self._positions.skip(place, low)
                if offset is not None:
                    passed.append(Record(place, offset, None, None, unreadable=broken[place]))
            elsewhere[place] = high if self._positions.now().get(place) != high else low
        self._turn_away(elsewhere)
        if epoch != self._epoch:  # the partitions were given anew meanwhile, from what is committed
            return []
        self._assign()
        return passed

    def _turn_away(self, elsewhere: Mapping[Place, int]) -> None:
        """Has the client begin at other offsets for a moment, and drops what it says meanwhile.

        Told at once to go on at the same offset, librdkafka 2.16 kept on asking for the one that it had read out of a broken batch.
        """
        places = {**self._positions.now(), **elsewhere}
        self._consumer.assign([TopicPartition(*place, offset) for place, offset in places.items()])
        until = time.monotonic() + _PAUSE
        while (left := until - time.monotonic()) > 0:
            self._consumer.poll(left)

    def _range(self, place: Place) -> tuple[int, int]:
        """The first offset of a partition, and the one that its next record will have."""
        low, high = self._consumer.get_watermark_offsets(TopicPartition(*place), timeout=_ASK, cached=False)
        return low, high

    def _insist(self, ask: Callable[[], T]) -> T:
        """Asks the cluster until it answers. Raises KafkaException when it refuses, or when the reading is to stop."""
        waits = delays(_PAUSE)
        while True:
            try:
                return ask()
            except KafkaException as error:
                known = error.args[0]
                if not (known.retriable() or known.code() in _LATER) or self._stopping.wait(next(waits)):
                    raise
                self._say(known.str())

    def _assign(self) -> None:
        """Assigns to the client what is assigned here, where it is here."""
        positions = self._positions.now()
        self._consumer.assign([TopicPartition(*place, offset) for place, offset in positions.items()])
        if self._holding:
            self._pause(positions)
        else:  # what was paused when it was taken away is paused still when it comes back
            self._resume(positions)

    def _post(self, call: Callable[..., object], *arguments: object) -> None:
        """Calls something on the loop, unless it is closed."""
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
    """Reads given partitions from given offsets (or BEGINNING) on, without a group. Batches say where partitions were read to their end."""

    def __init__(
        self, brokers: Brokers, name: str, starts: Mapping[Place, int], *, most: int = 1000, pause: float = _POLL
    ) -> None:
        """`pause`: seconds until a stop is noticed, at most."""
        config = {"group.id": READERS, "enable.partition.eof": True}
        super().__init__(brokers, name, config, most=most, pause=pause)
        self._starts = starts

    def _begin(self) -> None:
        self._positions.begin(self._starts)
        self._assign()
