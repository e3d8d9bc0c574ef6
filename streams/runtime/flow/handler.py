"""Flow on Kafka: takes what concerns runs in the order of the log, and does what the pure `streams.flow.run` says is to be done."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from schemas.errors import Undecodable
from streams.flow.message_handler import AT_ONCE, DEADLY, Step
from streams.flow.run import over
from streams.flow.run_state import RunState
from streams.flow.state_rows import STOP
from streams.language.topology import Topology
from streams.messages import Action, Ending, FlowMessage, Run, Start, Stop
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.connections.connections import Connections
from streams.runtime.connections.dead_letters import DeadLetters
from streams.runtime.connections.publish import Publisher
from streams.runtime.connections.state_log import StateLog
from streams.runtime.delivery.redelivery import LIMIT, DeliveryCounter
from streams.runtime.errors import ProducerStopped, Revoked
from streams.runtime.flow.batching import together, whole_step
from streams.runtime.flow.keyed_queue import KeyedQueue
from streams.runtime.flow.offloading import walked
from streams.runtime.flow.partition_state import PartitionState
from streams.runtime.flow.requests import Requests
from streams.runtime.flow.timers import Timers
from streams.runtime.kafka.group_member import GroupMember
from streams.runtime.kafka.partitioner import partition_of
from streams.wire import topics
from streams.wire.records import Record

log = logging.getLogger(__name__)

Read = Callable[[], Awaitable[FlowMessage]]
"""Reads a message when its turn has come."""
_PRUNE_EVERY = 30.0
_MESSAGES = 1000
"""Messages of one run that are sent together: others have their turn after them."""


@dataclass
class _Owned:
    generation: int
    shard: PartitionState


class Flow:
    """Handles the records of flow's topics; `member` is its group membership and `watch` what it knows of records that end
    their worker, both set before the first record.
    """

    member: GroupMember
    watch: DeliveryCounter

    def __init__(self, parts: Connections, pipelines: Pipelines, publisher: Publisher, letters: DeadLetters) -> None:
        self._parts = parts
        self._pipelines = pipelines
        self._publisher = publisher
        self._letters = letters
        self.requests = Requests(parts, pipelines, publisher, letters)
        self._log = StateLog(parts)
        self._turns: KeyedQueue[tuple[int, str], Read] = KeyedQueue(self._take)
        self._timers = Timers(publisher.to_flow)
        self._owned: dict[int, _Owned] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._tokens = parts.topic(topics.TOKENS)
        self._control = parts.topic(topics.CONTROL)
        self._count = 0

    async def start(self) -> None:
        """Begins what goes on beside the records: timers, and forgetting."""
        self._count = await self._parts.producer.partitions(self._tokens)
        self._tasks = [
            asyncio.create_task(self._timers.run(), name="timers of flow"),
            asyncio.create_task(self._prune(), name="pruning of flow"),
        ]

    async def stop(self) -> None:
        """Ends that."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        for owned in self._owned.values():
            owned.shard.discard()

    def topics(self) -> frozenset[str]:
        """What flow reads now: its own topics, and the requests of every pipeline there is."""
        names = self._parts.names
        return frozenset([self._tokens, self._control, *(names.requests(name) for name in self._pipelines.names())])

    @property
    def open_runs(self) -> int:
        """Runs that are open here."""
        return sum(owned.shard.open for owned in self._owned.values())

    def assigned(self) -> None:
        """A generation begins: the state of each partition is read anew, also where no record comes: timers wait in it."""
        for owned in self._owned.values():
            owned.shard.discard()
        self._owned.clear()
        for place in self.member.assigned:
            if place.topic == self._tokens:
                shard = PartitionState(place.partition, self._log, self._pipelines, self._timers, self._parts.outages)
                shard.load(self.member.acks.working(place.partition))
                self._owned[place.partition] = _Owned(self.member.generation, shard)

    async def handle(self, record: Record) -> None:
        """Does the work of one record. Raises Undecodable, and ProducerStopped at the worker's end."""
        owned = self._owned.get(record.place.partition)
        if owned is not None:  # a worker that is lost while it reads its state did not die of a message
            await owned.shard.ready()
        async with self.watch.over(record) as times:
            if times > LIMIT:
                await self._give_up(record, times)
            else:
                await self._handle(record)

    async def _give_up(self, record: Record, times: int) -> None:
        """A record that ended its worker again and again: its run fails, and others go on.

        It is read once more, for what it asks for may be unknown to anybody; whoever dies of that too leaves it unread.
        """
        await self._letters.write(record, "flow", f"flow died {times} times while it took this", run=_key(record))
        topic = record.place.topic
        if topic == self._control:
            return
        if topic != self._tokens:
            if times == LIMIT + 1 and (start := await self.requests.start(record)) is not None:
                await self._begin(start if start.refused else replace(start, refused=DEADLY), record)
            return
        message: FlowMessage = Stop(_key(record), Ending.DEADLY)
        if times == LIMIT + 1 and isinstance(read := await self._message_of(record), Start):
            message = replace(read, refused=DEADLY)
        await self._turns.take((record.place.partition, _key(record)), _ready(message))

    async def _handle(self, record: Record) -> None:
        topic = record.place.topic
        if topic == self._tokens:
            await self._message(record)
        elif topic == self._control:
            control = await self._publisher.patiently(lambda: self._parts.wire.read_control(record))
            if control.action is Action.CANCEL:
                await self._cancel(Stop(control.run, Ending.CANCEL))
        else:
            start = await self.requests.start(record)
            if start is not None:
                await self._begin(start, record)
                shadow = await self.requests.shadow(start)
                if shadow is not None:
                    await self._publisher.to_flow(shadow)

    async def _message(self, record: Record) -> None:
        # It is read in its turn: a message whose reading needs the registry must not be overtaken by a later one.
        await self._turns.take((record.place.partition, _key(record)), lambda: self._message_of(record))

    async def _message_of(self, record: Record) -> FlowMessage:
        message = await self._publisher.patiently(lambda: self._parts.wire.read_flow(record))
        if _run(message) != _key(record):
            raise Undecodable(f"{record.where}: its key is not the run that it is about")
        return message

    async def _cancel(self, stop: Stop) -> None:
        """Ends a run before anything else of it is taken, where it is open here. The log has it in any case, behind the rest."""
        await self._publisher.to_flow(stop)
        partition = partition_of(stop.run, self._count)
        owned = self._owned.get(partition)
        if owned is None or owned.generation != self.member.generation:
            return
        state = await (await owned.shard.ready()).state(stop.run)
        if state is not None and state.opened and not state.done:
            await self._turns.take((partition, stop.run), _ready(stop), first=True)

    async def _begin(self, start: Start, record: Record) -> None:
        """Takes a Start here when the run's partition is this record's and its state is here; else sends it there."""
        partition = partition_of(start.run.id, self._count)
        owned = self._owned.get(partition)
        if partition == record.place.partition and owned and owned.generation == self.member.generation:
            await self._turns.take((partition, start.run.id), _ready(start))
        else:
            await self._publisher.to_flow(start)

    async def _take(self, place: tuple[int, str], reads: Sequence[Read]) -> list[Exception | None]:
        """Takes messages of a run in its turn, until it was enough for one; what became of each that was taken."""
        partition, run = place
        owned = self._owned.get(partition)
        if owned is None:
            raise Revoked(f"partition {partition}")
        shard = await owned.shard.ready()
        became: list[Exception | None] = []
        steps: dict[int, Step] = {}
        topology: Topology | None = None
        sent, work = 0, 0.0
        for number, read in enumerate(reads):
            if sent > _MESSAGES or work > AT_ONCE:
                break  # others have their turn
            became.append(None)
            state = await shard.state(run)
            if over(state):
                continue  # it changes nothing, whatever it says
            try:
                message = _overdue(state) or await read()
                topology = await self._topology(state, message) or topology
                made = await walked(topology, whole_step, topology, state, message, time.time())
                steps[number] = made
                sent, work = sent + len(made.messages), work + made.work
                if state is not None and isinstance(message, Stop) and message.ending is Ending.CANCEL:
                    await self._cancel_shadow(state.run)
            except (ProducerStopped, Revoked):
                raise
            except Exception as error:  # noqa: BLE001  # it is this message's alone
                became[number] = error
            else:
                self._keep(shard, run, made)
        try:
            await self._done(together(steps.values()), topology, partition)
        except (ProducerStopped, Revoked):
            raise
        except Exception:
            log.exception("what %s leads to cannot be sent together: one after another, to see which it is", run)
            for number, made in steps.items():
                became[number] = await self._alone(made, topology, partition)
        return became

    async def _cancel_shadow(self, run: Run) -> None:
        """What repeats a run unseen has nothing to be compared with any more."""
        shadow = self.requests.shadow_of(run)
        if shadow is not None:
            await self._publisher.to_flow(Stop(shadow, Ending.CANCEL))

    async def _topology(self, state: RunState | None, message: FlowMessage) -> Topology | None:
        """The topology of the run's digest, where one is needed."""
        digest = state.run.digest if state and state.opened and not state.done else ""
        if isinstance(message, Start) and not digest:
            digest = message.run.digest
        return await self._pipelines.wait_topology(digest) if digest else None

    async def _done(self, made: Step, topology: Topology | None, partition: int) -> None:
        if made.messages:
            assert topology is not None
            before = made.before
            if any(
                row.row == STOP for row in before
            ):  # nobody may hear of an end that another worker would not keep to
                await self._log.write(before, partition)
                before = []
            rows = await self._log.records(before, partition)
            await self._publisher.publish(made.messages, topology, rows)
        await self._log.write(made.after, partition)

    async def _alone(self, made: Step, topology: Topology | None, partition: int) -> Exception | None:
        try:
            await self._done(made, topology, partition)
        except (ProducerStopped, Revoked):
            raise
        except Exception as error:  # noqa: BLE001  # as above
            return error
        return None

    def _keep(self, shard: PartitionState, run: str, made: Step) -> None:
        shard.keep(run, made.state)
        if made.state is not None and not made.state.done:
            for timer in made.timers:
                self._timers.set(run, timer.at, timer.stop)

    async def _prune(self) -> None:
        while True:
            await asyncio.sleep(_PRUNE_EVERY)
            for owned in list(self._owned.values()):
                if owned.generation == self.member.generation:
                    await owned.shard.prune()


def _key(record: Record) -> str:
    return (record.key or b"").decode(errors="replace")


def _ready(message: FlowMessage) -> Read:
    async def known() -> FlowMessage:
        return message

    return known


def _overdue(state: RunState | None) -> Stop | None:
    """What ends a run whose time is up, before anything that waits for it is read."""
    late = state is not None and state.opened and state.run.deadline <= time.time()
    return Stop(state.run.id, Ending.DEADLINE) if state is not None and late else None


def _run(message: FlowMessage) -> str:
    return message.run if isinstance(message, Stop) else message.run.id
