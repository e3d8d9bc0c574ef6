"""Faust, tamed: one `Member` is one Faust app, which is one member of one consumer group.

The only file that knows Faust. Its consumer, its stream and its commits are used; its producer, tables, web server and
acknowledgement logic are not. What each setting is for stands beside it.
"""

import asyncio
import inspect
import logging
import tempfile
import types
from collections.abc import Callable, Coroutine, Generator, Iterable
from pathlib import Path
from typing import Any, cast

import faust
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError
from faust.app.base import BootStrategy
from faust.sensors.monitor import Monitor
from faust.tables.manager import TableManager
from faust.transport.drivers import aiokafka as driver
from mode.services import WaitResults

from streams.brokers import Brokers
from streams.records import Handler, Place, Record
from streams.runtime.lanes import Lanes, LostRecords
from streams.runtime.lookout import Lookout
from streams.runtime.probe import Probe

log = logging.getLogger(__name__)

_FAUST = logging.getLogger("faust")
"""Where Faust says what its services do: else it would speak in the name of this module."""
REBALANCE_PATIENCE = 3.0
"""Seconds that a membership change waits for work under way; what takes longer goes on and is not begun anew here."""
LOOKS = (1.0, 1.0, 1.0, 2.0, 5.0)
"""Seconds between the looks for records that the client passed over, from a new generation on; the last one stays."""
_RESUBSCRIBE = 0.2
_LEAVE = 10.0


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer with a short long-poll and the range assignor."""

    logger = _FAUST

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        conf = self.app.conf
        return AIOKafkaConsumer(
            **cast(_App, self.app).member.brokers.aiokafka(),
            client_id=conf.broker_client_id,
            group_id=conf.id,
            # Topics with the same partition count go to the members in the same way: flow's requests meet its tokens.
            partition_assignment_strategy=[RangePartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=conf.broker_max_poll_records,
            # At the default of 1 MiB some partitions starve for up to 50 s under backlog.
            max_partition_fetch_bytes=conf.consumer_max_fetch_size,
            # A partition that was still being read when a poll began waits for that poll's end; Faust would say 1500.
            fetch_max_wait_ms=200,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            max_poll_interval_ms=int((conf.broker_max_poll_interval or 0) * 1000),
            metadata_max_age_ms=conf.consumer_metadata_max_age_ms,
        )


class _Unread(dict[Any, None]):
    """Faust's memory of how far it has read, without any: it drops and skips records by it. The lanes know better."""

    def __getitem__(self, _: Any) -> None:
        return None

    def __setitem__(self, *_: Any) -> None:
        pass

    def update(self, *_: Any, **__: Any) -> None:
        """Remembers nothing."""


class _Consumer(driver.Consumer):
    """Faust's consumer, which commits what the lanes acknowledge: they do it in order, and know which gaps are real."""

    logger = _FAUST

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_offset: Any = _Unread()

    def _new_offset(self, tp: Any) -> int | None:
        acked = self._acked[tp]
        if not acked:
            return None
        offset = max(acked) + 1
        acked.clear()
        self._acked_index[tp].clear()
        return int(offset)

    def _should_commit(self, *_: Any) -> bool:
        return True

    async def _commit(self, offsets: Any) -> bool:
        generation = self.app.consumer_generation_id
        done: bool = await super()._commit(offsets)
        if not done and generation == self.app.consumer_generation_id:
            for tp, offset in offsets.items():  # Faust would forget them until another record comes
                self._acked[tp].append(offset - 1)
        return done

    async def _add_gap(self, *_: Any) -> None:
        pass

    async def verify_all_partitions_active(self) -> None:
        """Faust would look into its statistics, which are not kept: after five minutes it would call every lag a hang.

        The worker watches progress itself, in `liveness`.
        """

    def highwater(self, _: Any) -> int:
        """For Faust's statistics only. Asking the client for it ends the reader when it comes amid a membership change."""
        return 0

    async def wait_first(self, *coros: Any, **options: Any) -> Any:
        """Faust makes four tasks for each record, to deliver it or stop, whichever comes first.

        Where a delivery need not wait, as nearly always, it needs none of them; else it goes on in Faust's way.
        """
        if len(coros) != 2 or not inspect.iscoroutine(coros[0]):
            return await super().wait_first(*coros, **options)
        delivery, suspended = coros
        try:
            waiting = delivery.send(None)
        except StopIteration as done:
            suspended.close()
            await asyncio.sleep(0)  # what was delivered begins now: else a whole batch waits for its last
            return WaitResults([delivery], [done.value], False)
        except BaseException:
            suspended.close()
            raise
        return await super().wait_first(_rest(delivery, waiting), suspended, **options)

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)


async def _rest(begun: Coroutine[Any, Any, Any], waiting: Any) -> Any:
    """What is left of a coroutine that has begun and now waits for this."""
    return await _driven(begun, waiting)


@types.coroutine
def _driven(begun: Coroutine[Any, Any, Any], waiting: Any) -> Generator[Any, Any, Any]:
    try:
        while True:
            try:
                given = yield waiting
            except BaseException as error:  # noqa: BLE001  # a cancellation too is for the coroutine to meet
                waiting = begun.throw(error)
            else:
                waiting = begun.send(given)
    except StopIteration as done:
        return done.value


class _Transport(driver.Transport):
    Consumer = _Consumer


class _Boot(BootStrategy):
    enable_kafka_producer = False  # the process has one producer of its own
    enable_web = False


class _NoTables(TableManager):
    """Faust's tables are not used; what stands here is that it does not wait a second for them to be registered."""

    logger = _FAUST

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


class _NoMonitor(Monitor):
    """Faust's statistics cost more than reading a record does; ours are in the worker's health file and in the events."""

    logger = _FAUST

    def on_message_in(self, *_: Any) -> None:
        pass

    def on_stream_event_in(self, *_: Any) -> None:
        return None

    def on_stream_event_out(self, *_: Any) -> None:
        pass

    def track_tp_end_offset(self, *_: Any) -> None:
        pass


class _App(faust.App):
    logger = _FAUST
    BootStrategy = _Boot
    member: "Member"

    def _new_transport(self) -> Any:
        return _Transport(self.conf.broker_consumer, self)

    async def _on_partitions_assigned(self, assigned: Any, generation_id: int = 0) -> None:
        # Before Faust's own steps: some of them already let records through.
        self.member.take_over(assigned)
        await super()._on_partitions_assigned(assigned, generation_id)

    async def _on_partitions_revoked(self, revoked: Any) -> None:
        await super()._on_partitions_revoked(revoked)
        await self.member.release()

    async def _consumer_wait_empty(self, *_: Any) -> None:
        """Called when partitions are taken away and at stop. Faust's own waits without end for every record."""
        await self.member.release()

    async def crash(self, reason: BaseException) -> None:
        self.member.broken(f"faust: {type(reason).__name__}: {reason}")
        await super().crash(reason)


class Member:
    """One member of one consumer group: records of `topics` go to `handle`, and are acknowledged in order after it.

    `on_generation` is called when the partitions of a new generation are known, before the first of its records.
    `patience`: seconds that a membership change waits for work under way. `allowed`: seconds that the work in hand may take
    by limits of its own.
    """

    def __init__(
        self,
        group: str,
        topics: Iterable[str],
        handle: Handler,
        *,
        brokers: Brokers,
        probe: Probe,
        room: int = 64,
        patience: float = REBALANCE_PATIENCE,
        on_generation: Callable[[], None] | None = None,
        allowed: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.group = group
        self.allowed = allowed
        self.brokers = brokers
        self.failure: str | None = None
        """Why this member cannot go on; the worker starts again then."""
        self.failed = asyncio.Event()
        self._probe = probe
        self._patience = patience
        self._on_generation = on_generation
        self._epoch = 0
        self._opened = -1
        self._assigned: frozenset[Place] = frozenset()
        self._revoked = True
        self._stopping = False
        self._opening = asyncio.Lock()
        self._moved = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self.lanes = Lanes(handle, starts=self._starts, present=probe.present, rewind=self._go_back, room=room)
        self._lookout = Lookout(self.lanes, ends=probe.ends, found=probe.found, rewind=self._go_back)
        self._app = _faust_app(group, brokers.servers)
        self._app.member = self
        self._channel = self._app.topic(
            *topics, value_type=bytes, key_type=bytes, value_serializer="raw", key_serializer="raw"
        )
        self._app.agent(self._channel, name=f"{group}.records")(self._consume)

    @property
    def topics(self) -> frozenset[str]:
        """What this member reads."""
        return frozenset(self._channel.topics)

    @property
    def assigned(self) -> frozenset[Place]:
        """The partitions that it has now; empty while membership changes."""
        return frozenset() if self._revoked else self._assigned

    @property
    def partitions(self) -> frozenset[Place]:
        """The partitions that were given to it last."""
        return self._assigned

    @property
    def generation(self) -> int:
        """Counts the times that partitions were given to this member."""
        return self._epoch

    async def start(self) -> None:
        """Joins the group. Raises when no broker answers: the worker is started again then."""
        await self._app.start()
        self._looking = asyncio.create_task(self._look_out(), name=f"lookout of {self.group}")

    async def stop(self, grace: float) -> None:
        """Stops fetching, gives work under way `grace` seconds, commits what is done and leaves the group.

        What has not ended by then is broken off, before what it works with is taken from it: that would look like a failure of
        its own, and be told as one.
        """
        self._stopping = True
        self._revoked = True
        if self._looking is not None:
            self._looking.cancel()
        await self.lanes.drain(grace)
        leaving = asyncio.ensure_future(self._app.stop())
        # Not wait_for: Faust may swallow a cancellation, and then it would wait all the same.
        _, late = await asyncio.wait([leaving], timeout=_LEAVE)
        if late:
            log.warning("%s did not leave its group in %g s; the broker will notice", self.group, _LEAVE)
        await self.lanes.break_off()

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Reads these topics too. They must exist. A membership change follows."""
        fresh = sorted(set(topics) - self.topics)
        if not fresh:
            return
        log.info("%s now also reads %s", self.group, ", ".join(fresh))
        conductor: Any = self._app.topics
        for channel in {self._channel, *conductor}:  # the agent reads from a clone, which may share this list or not
            channel.topics = sorted({*channel.topics, *fresh})
        while not self._stopping and not set(fresh) <= self._subscribed():
            # Faust forgets a change that comes during a membership change, so it is said until it is done.
            if conductor._subscription_changed is not None:
                conductor._subscription_changed.set()
            await asyncio.sleep(_RESUBSCRIBE)

    def take_over(self, assigned: Iterable[Any]) -> None:
        """A new generation begins with these partitions."""
        self._assigned = frozenset(Place(tp.topic, tp.partition) for tp in assigned)
        self._epoch += 1
        self._revoked = False
        self._moved.set()
        log.info("%s has %d partitions", self.group, len(self._assigned))
        if self._on_generation is not None:
            self._on_generation()

    async def release(self) -> None:
        """Lets the partitions go: waits a little for work under way and commits what is done."""
        if self._revoked and not self._stopping:
            return
        self._revoked = True
        await self.lanes.drain(0 if self._stopping else self._patience)
        if self._app.consumer is not None:
            await self._app.consumer.commit()
        self.lanes.close()

    def broken(self, reason: str) -> None:
        """Says that this member cannot go on."""
        if self.failure is None and not self._stopping:
            self.failure = f"{self.group}: {reason}"
            log.error("%s", self.failure)
            self.failed.set()

    def _subscribed(self) -> set[str]:
        consumer = cast(Any, self._app.consumer)._thread._consumer
        return set(consumer.subscription()) if consumer is not None else set()

    async def _consume(self, stream: Any) -> None:
        async for event in stream.noack().events():
            try:
                await self._take(event)
            except LostRecords as error:
                self.broken(str(error))
                await asyncio.Event().wait()  # nothing more is taken: the worker starts again
            except Exception as error:
                log.exception("%s cannot take a record", self.group)
                self.broken(f"{type(error).__name__}: {error}")
                await asyncio.Event().wait()

    async def _take(self, event: Any) -> None:
        message = event.message
        if self._revoked or message.generation_id != self._app.consumer_generation_id:
            return  # of a generation that is over: whoever has the partition now gets it again
        epoch = self._epoch
        if self._opened != epoch:
            await self._open(epoch)
        record = Record(
            Place(message.topic, message.partition),
            message.offset,
            message.key,
            message.value,
            tuple(message.headers or ()),
            message.timestamp,
        )
        await self.lanes.put(record, epoch, event.ack)

    async def _open(self, epoch: int) -> None:
        """Opens the lanes of this generation, once; those of one that is over stay shut."""
        async with self._opening:
            if self._opened != epoch and epoch == self._epoch:
                await self.lanes.open(epoch, self._assigned)
                self._opened = epoch

    async def _look_out(self) -> None:
        """Looks for records that were passed over, often while a generation is young: that is when it happens."""
        waits = iter(LOOKS)
        while True:
            try:
                async with asyncio.timeout(next(waits, LOOKS[-1])):
                    await self._moved.wait()
                self._moved.clear()
                waits = iter(LOOKS)
            except TimeoutError:
                await self._look()

    async def _look(self) -> None:
        if self._revoked:
            return
        try:
            await self._open(self._epoch)
            await self._lookout.look()
        except (KafkaError, OSError):
            pass  # the cluster is away, or membership changes: the next look will do
        except Exception:
            log.warning("%s cannot look for records that were passed over", self.group, exc_info=True)

    async def _go_back(self, place: Place, offset: int) -> None:
        consumer: Any = self._app.consumer
        await consumer.seek_wait({TopicPartition(*place): offset})

    async def _starts(self, places: frozenset[Place]) -> Any:
        return await self._probe.starts(self.group, places)


def _faust_app(group: str, bootstrap: str) -> _App:
    app = _App(
        id=group,
        broker=[f"aiokafka://{server.strip()}" for server in bootstrap.split(",")],
        datadir=Path(tempfile.gettempdir()) / "millrace-faust",  # Faust makes it, and puts nothing there without tables
        store="memory://",
        web_enabled=False,
        autodiscover=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        broker_session_timeout=6,
        broker_heartbeat_interval=0.5,
        broker_request_timeout=20,
        broker_rebalance_timeout=15,
        broker_commit_interval=0.25,
        broker_max_poll_records=100,
        stream_buffer_maxsize=256,
        stream_wait_empty=True,
        consumer_max_fetch_size=32768,
        consumer_auto_offset_reset="earliest",
        table_standby_replicas=0,
        TableManager=_NoTables,
        Monitor=_NoMonitor,
        logging_config={"version": 1, "incremental": True, "disable_existing_loggers": False},
    )
    cast(
        Any, app.topics
    )._resubscribe_sleep_lock_seconds = _RESUBSCRIBE  # Faust would wait 45 s before it reads a new topic
    return app
