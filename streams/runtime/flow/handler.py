"""Flow on Kafka: what each record of flow's topics asks for, taken in the order of the log."""

import asyncio
from dataclasses import replace

from schemas.errors import Undecodable
from streams.background import ended
from streams.flow.message_handler import DEADLY
from streams.flow.straight import begin
from streams.messages import Action, Ending, FlowMessage, Start, StopSignal, Task
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.connections.connections import Connections
from streams.runtime.connections.dead_letters import DeadLetters
from streams.runtime.connections.publish import Publisher
from streams.runtime.connections.state_log import StateLog
from streams.runtime.delivery.redelivery import MAX_DELIVERIES, DeliveryCounter
from streams.runtime.errors import ProducerStopped, Revoked
from streams.runtime.flow.keyed_queue import KeyedQueue
from streams.runtime.flow.offloading import walked
from streams.runtime.flow.partition_state import PartitionState
from streams.runtime.flow.partitions import Partitions
from streams.runtime.flow.requests import Requests
from streams.runtime.flow.run_log import RunLog
from streams.runtime.flow.step_runner import MessageReader, StepRunner
from streams.runtime.flow.timers import Timers
from streams.runtime.kafka.group_member import GroupMember
from streams.runtime.kafka.partitioner import partition_of
from streams.wire import topics
from streams.wire.records import Record

_PRUNE_EVERY = 30.0
"""Seconds."""


class FlowHandler:
    """Handles the records of flow's topics.

    `member` is its group membership and `watch` counts deliveries of records that end their worker; both are set before
    the first record.
    """

    member: GroupMember
    watch: DeliveryCounter

    def __init__(
        self, connections: Connections, pipelines: Pipelines, publisher: Publisher, letters: DeadLetters
    ) -> None:
        self._connections = connections
        self._pipelines = pipelines
        self._publisher = publisher
        self._letters = letters
        self.requests = Requests(connections, pipelines, publisher, letters)
        self._rows = StateLog(connections)
        self._timers = Timers(publisher.to_flow)
        self._partitions = Partitions(self._open_state, lambda: self.member.generation)
        steps = StepRunner(self._partitions, pipelines, publisher, self._rows, self.requests.shadow_of)
        self._queue: KeyedQueue[tuple[int, str], MessageReader] = KeyedQueue(steps.take)
        self._tasks: list[asyncio.Task[None]] = []
        self._straight = False
        """Whether straight runs that Kafka's producers ask for are only begun here."""
        self._run_log = RunLog(connections, publisher, self._take)
        self._tokens = connections.topic(topics.TOKENS)
        self._control = connections.topic(topics.CONTROL)
        self._partition_count = 0

    async def start(self) -> None:
        """Start the timers of runs, and forgetting ended ones."""
        self._partition_count = await self._connections.producer.partitions(self._tokens)
        self._straight = await self._connections.begins_straight()
        self._tasks = [
            asyncio.create_task(self._timers.run(), name="timers of flow"),
            asyncio.create_task(self._prune(), name="pruning of flow"),
        ]

    async def stop(self) -> None:
        """Stop both, and discard the states."""
        for task in self._tasks:
            await ended(task)
        self._partitions.discard()

    def topics(self) -> frozenset[str]:
        """Flow's own topics, the log of events, and the request topic of every pipeline."""
        names = self._connections.names
        return frozenset(
            [
                self._tokens,
                self._control,
                self._run_log.topic,
                *(names.requests(name) for name in self._pipelines.names()),
            ]
        )

    def assigned(self) -> None:
        """Begin a generation of the membership."""
        owned = [place.partition for place in self.member.assigned if place.topic == self._tokens]
        self._run_log.release(owned)
        self._partitions.assign({partition: self.member.acks.working(partition) for partition in owned})

    def skips(self, record: Record) -> bool:
        """Return whether a record needs no work: most events are of no interest to flow."""
        return record.place.topic == self._run_log.topic and self._run_log.skips(record)

    async def handle(self, record: Record) -> None:
        """Do the work of one record. Raises Undecodable, and ProducerStopped when the worker stops."""
        if record.place.topic == self._run_log.topic:
            await self._follow(record)
            return
        # Before the delivery is counted: a worker that dies while it reads its state did not die of this record.
        await self._partitions.rebuilt(record.place.partition)
        async with self.watch.counting(record) as times:
            if times > MAX_DELIVERIES:
                await self._give_up(record, times)
            else:
                await self._handle(record)

    async def _follow(self, record: Record) -> None:
        """Take the first or the last event of a run that begins and ends without flow."""
        self._run_log.add(record)
        try:
            await self._partitions.rebuilt(record.place.partition)
            # Also before the delivery is counted, for which a record may have to wait: their order must stay.
            await self._run_log.turn(record)
            async with self.watch.counting(record) as times:
                if times > MAX_DELIVERIES:
                    raise Undecodable(f"flow died {times} times while it took this")
                await self._run_log.take(record)
            await self._run_log.outlast(record)
        except (ProducerStopped, Revoked, asyncio.CancelledError):
            raise
        except Exception:
            self._run_log.give_up(record)
            raise

    async def _handle(self, record: Record) -> None:
        topic = record.place.topic
        if topic == self._tokens:
            # Read in its turn: a message that has to wait for the registry must not be overtaken by a later one.
            await self._take(record.place.partition, _key(record), lambda: self._message(record))
        elif topic == self._control:
            control = await self._publisher.patiently(lambda: self._connections.wire.read_control(record))
            if control.action is Action.CANCEL:
                await self._cancel(StopSignal(control.run, Ending.CANCEL))
        else:
            await self._request(record)

    async def _request(self, record: Record) -> None:
        start = await self.requests.start(record)
        if start is None:
            return
        if self._begins_straight(start):
            await self._begin_straight(start)
            return
        await self._begin(start, record)
        shadow = await self.requests.shadow(start)
        if shadow is not None:
            await self._publisher.to_flow(shadow)

    def _begins_straight(self, start: Start) -> bool:
        """Return whether a run begins without being opened here: its last worker ends it."""
        topology = self._pipelines.topology(start.run.digest)
        suits = topology is not None and topology.straight
        return self._straight and suits and start.refused is None and self.requests.shadow_of(start.run) is None

    async def _begin_straight(self, start: Start) -> None:
        topology = await self._pipelines.wait_topology(start.run.digest)
        straight = replace(start, run=replace(start.run, straight=True))
        messages = await walked(topology, begin, topology, straight)
        # Its first event is published before the task: nobody stands by who publishes it if the task has to wait.
        said = [event for message in messages if isinstance(message, Task) for event in message.said]
        bare = [replace(message, said=()) if isinstance(message, Task) else message for message in messages]
        await self._publisher.publish([*said, *bare], topology)

    async def _give_up(self, record: Record, times: int) -> None:
        """Fail the run of a record that ended its worker again and again, so that other runs go on.

        The record is read once more, because what it asks for may not be known yet. If the worker dies of that too, the next
        one leaves it unread.
        """
        await self._letters.write(record, "flow", f"flow died {times} times while it took this", run=_key(record))
        topic = record.place.topic
        if topic == self._control:
            return
        readable = times == MAX_DELIVERIES + 1
        if topic != self._tokens:
            if readable and (start := await self.requests.start(record)) is not None:
                await self._begin(start if start.refused else replace(start, refused=DEADLY), record)
            return
        message: FlowMessage = StopSignal(_key(record), Ending.DEADLY)
        if readable and isinstance(opening := await self._message(record), Start):
            message = replace(opening, refused=DEADLY)
        await self._take(record.place.partition, _key(record), _ready(message))

    async def _message(self, record: Record) -> FlowMessage:
        message = await self._publisher.patiently(lambda: self._connections.wire.read_flow(record))
        if _run(message) != _key(record):
            raise Undecodable(f"{record.where}: its key is not the run that it is about")
        return message

    async def _cancel(self, stop: StopSignal) -> None:
        """End a run before its waiting messages, where it is open here; wherever it is, the log has its StopSignal behind them."""
        await self._publisher.to_flow(stop)
        partition = partition_of(stop.run, self._partition_count)
        if not self._partitions.current(partition):
            return
        state = (await self._partitions.state(partition)).state(stop.run)
        if state is not None and state.opened and not state.done:
            await self._take(partition, stop.run, _ready(stop), first=True)

    async def _begin(self, start: Start, record: Record) -> None:
        """Take a Start here when the run's partition is this record's and its state is here; otherwise send it there."""
        partition = partition_of(start.run.id, self._partition_count)
        if partition == record.place.partition and self._partitions.current(partition):
            await self._take(partition, start.run.id, _ready(start))
        else:
            await self._publisher.to_flow(start)

    async def _take(self, partition: int, run: str, reader: MessageReader, *, first: bool = False) -> None:
        await self._queue.take((partition, run), reader, first=first)

    async def _prune(self) -> None:
        while True:
            await asyncio.sleep(_PRUNE_EVERY)
            await self._partitions.prune()

    def _open_state(self, partition: int) -> PartitionState:
        return PartitionState(partition, self._rows, self._pipelines, self._timers, self._connections.outages)


def _key(record: Record) -> str:
    return (record.key or b"").decode(errors="replace")


def _ready(message: FlowMessage) -> MessageReader:
    async def read() -> FlowMessage:
        return message

    return read


def _run(message: FlowMessage) -> str:
    return message.run if isinstance(message, StopSignal) else message.run.id
