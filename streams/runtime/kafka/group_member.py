"""One `GroupMember` is one member of one consumer group: a Faust agent that is given batches of records.

The only file that knows Faust. Faust runs the agent and its stream; the reading, the commits and the membership are librdkafka's, in
`membership`, since Faust's own consumer fetches every partition in every request and cannot read every codec.
"""

import asyncio
import contextlib
import logging
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import faust
from aiokafka.errors import KafkaError
from faust.app.base import BootStrategy

from streams.kafka_settings import Brokers
from streams.reader_trouble import Trouble
from streams.runtime.kafka.group_reader import GroupReader
from streams.runtime.kafka.ordered_acks import OrderedAcks
from streams.runtime.kafka.reader import Batch
from streams.wire.records import Handler, Place

log = logging.getLogger(__name__)

REBALANCE_PATIENCE = 3.0
"""Seconds that a membership change waits for work under way; what takes longer goes on and is not begun anew here."""
COMMIT_EVERY = 0.5
"""Seconds from the first record that is done until the group's offsets are committed."""
_JOINING = 30.0
"""Seconds that joining the group, or joining it anew, may take before the start goes on without it, or it is asked for again."""
_LEAVE = 10.0


class _Boot(BootStrategy):
    """What of a Faust app is started: its agents, and nothing that speaks to Kafka or serves pages."""

    enable_kafka = False
    enable_sensors = False
    enable_web = False

    def kafka_conductor(self) -> Iterable[Any]:
        """No topics of Faust's."""
        return ()

    def tables(self) -> Iterable[Any]:
        """No tables."""
        return ()


class _App(faust.App):
    logger = logging.getLogger("faust")  # else what its services do would be said in the name of this module
    BootStrategy = _Boot


class GroupMember:
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
        room: int = 64,
        patience: float = REBALANCE_PATIENCE,
        on_generation: Callable[[], None] | None = None,
        allowed: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.group = group
        self.allowed = allowed
        self.failure: str | None = None
        """Why this member cannot go on; the worker starts again then."""
        self.failed = asyncio.Event()
        self.acks = OrderedAcks(handle, settled=self._settle, room=room)
        self._patience = patience
        self._on_generation = on_generation
        self._epoch = 0
        self._assigned: frozenset[Place] = frozenset()
        self._revoked = True
        self._stopping = False
        self._joined = asyncio.Event()
        """Set when partitions were given to it, and cleared by who waits for the next time."""
        self._positions: dict[Place, int] = {}
        self._done: dict[Place, int] = {}
        self._committing: asyncio.TimerHandle | None = None
        self._reader = GroupReader(brokers, group, topics, assigned=self._take_over, revoked=self._release)
        self._app = _faust_app(group)
        self._channel = self._app.channel(maxsize=1)
        self._app.agent(self._channel, name=f"{group}.records")(self._consume)
        self._feeding: asyncio.Task[None] | None = None

    @property
    def topics(self) -> frozenset[str]:
        """What this member reads."""
        return self._reader.topics

    @property
    def assigned(self) -> frozenset[Place]:
        """The partitions that it has now; empty while membership changes."""
        return frozenset() if self._revoked else self._assigned

    @property
    def partitions(self) -> frozenset[Place]:
        """The partitions that were given to it last."""
        return self._assigned

    @property
    def positions(self) -> Mapping[Place, int]:
        """The offset of each of them up to which all is done; BEGINNING where nothing was done and the log is read from its start."""
        return self._positions

    @property
    def generation(self) -> int:
        """A number that grows with each assignment of partitions to this member."""
        return self._epoch

    @property
    def trouble(self) -> Trouble | None:
        """Why it cannot read at the moment; it tries all the time."""
        return self._reader.trouble

    async def start(self) -> None:
        """Joins the group, and returns when it has. Raises KafkaError when that cannot be."""
        await self._app.start()
        self._app.flow_control.resume()  # Faust waits for partitions of its own, which never come
        await self._reader.start()
        self._feeding = asyncio.create_task(self._feed(), name=f"feeding of {self.group}")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_JOINING):
                await self._joined.wait()
                return
        log.warning("%s has not joined its group in %g s and goes on trying", self.group, _JOINING)

    async def stop(self, grace: float) -> None:
        """Stops fetching, gives work under way `grace` seconds, commits what is done and leaves the group.

        What has not ended by then is broken off, before what it works with is taken from it: that would look like a failure of
        its own, and be told as one.
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
        if self._feeding is not None:
            self._feeding.cancel()
        await self._app.stop()
        await self.acks.break_off()

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Reads these topics too. They must exist. Returns when the change of membership that follows has taken effect."""
        fresh = sorted(set(topics) - self.topics)
        if not fresh:
            return
        log.info("%s now also reads %s", self.group, ", ".join(fresh))
        while not self._stopping:
            self._joined.clear()
            self._reader.subscribe(self.topics | set(fresh))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_JOINING):
                    await self._joined.wait()
                    return
            log.warning("%s does not read %s after %g s: subscribing again", self.group, ", ".join(fresh), _JOINING)

    def broken(self, reason: str) -> None:
        """Says that this member cannot go on."""
        if self.failure is None and not self._stopping:
            self.failure = f"{self.group}: {reason}"
            log.error("%s", self.failure)
            self.failed.set()

    def _take_over(self, epoch: int, starts: Mapping[Place, int]) -> None:
        """A new generation begins with these partitions."""
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
        """Lets the partitions go: waits a little for work under way; what is done and not committed."""
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

    async def _feed(self) -> None:
        """Hands batches to the agent, the next one when it has begun with the last."""
        try:
            while True:
                await self._channel.send(value=await self._reader.next())
        except KafkaError as error:
            self.broken(f"reading ended: {error}")

    async def _consume(self, batches: Any) -> None:
        async for batch in batches:
            try:
                await self._take(batch)
            except Exception as error:
                log.exception("%s cannot take records", self.group)
                self.broken(f"{type(error).__name__}: {error}")
                await asyncio.Event().wait()  # nothing more is taken: the worker starts again

    async def _take(self, batch: Batch) -> None:
        for record in batch.records:
            if self._revoked:
                return  # of a generation that is over: whoever has the partition now gets it again
            await self.acks.put(record, batch.epoch)


def _faust_app(group: str) -> _App:
    return _App(
        id=group,
        broker="kafka://",  # never connected to
        datadir=Path(tempfile.gettempdir()) / "millrace-faust",  # Faust makes it, and puts nothing there without tables
        store="memory://",
        web_enabled=False,
        autodiscover=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        logging_config={"version": 1, "incremental": True, "disable_existing_loggers": False},
    )
