"""The order in which flow takes the messages of a run."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from schemas.errors import Undecodable
from streams.flow.message_handler import Step
from streams.flow.run_state import RunState
from streams.language.topology import Topology
from streams.messages import Ending, FlowMessage, StopSignal, Task
from streams.runtime.connections.connections import Connections
from streams.runtime.errors import Undeliverable
from streams.runtime.flow.handler import FlowHandler
from streams.runtime.flow.keyed_queue import KeyedQueue
from streams.runtime.flow.step_runner import MessageReader, StepRunner
from streams.wire.records import Place, Record
from tests.unit.streams.compiling import pipeline
from tests.unit.streams.flow.flowing import Flow as Core


class Slow(FlowHandler):
    """A flow that needs as long to read a message as the message says, and notes what it takes."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        wire = SimpleNamespace(read_flow=self._read)
        parts = SimpleNamespace(topic=lambda name: name, wire=wire, events="run.events")
        publisher = SimpleNamespace(patiently=lambda action: action(), to_flow=None)
        super().__init__(cast(Connections, parts), cast(Any, None), cast(Any, publisher), cast(Any, None))
        self._queue = KeyedQueue(self._note)

    async def _read(self, record: Record) -> FlowMessage:
        for _ in range(int(record.value or b"0")):
            await asyncio.sleep(0)
        return StopSignal("a" if record.offset < 100 else "b", Ending.CANCEL, str(record.offset))

    async def _note(self, place: tuple[int, str], readers: Sequence[MessageReader]) -> list[Exception | None]:
        failures: list[Exception | None] = []
        for read in readers:
            try:
                message = await read()
            except Undecodable as error:
                failures.append(error)
                continue
            assert isinstance(message, StopSignal)
            self.taken.append(int(message.join or ""))
            failures.append(None)
        return failures


def message(offset: int, steps: int, run: str = "a") -> Record:
    """A record of `flow.tokens` that takes so many steps to read."""
    return Record(Place("flow.tokens", 0), offset, run.encode(), str(steps).encode())


def test_a_message_that_is_slow_to_read_is_not_overtaken_by_its_run() -> None:
    """Messages of one run are taken in the order of the log, however long each needs; other runs do not wait for them."""

    async def main() -> None:
        flow = Slow()
        await asyncio.gather(*map(flow._handle, (message(1, 50), message(2, 0), message(100, 0, "b"), message(3, 9))))
        assert [offset for offset in flow.taken if offset < 100] == [1, 2, 3]
        assert flow.taken[0] == 100

    asyncio.run(main())


def test_a_message_under_a_wrong_key_is_no_message() -> None:
    """Its turn would be another run's."""
    flow = Slow()
    with pytest.raises(Undecodable, match="its key is not the run"):
        asyncio.run(flow._handle(message(1, 0, "b")))
    assert flow.taken == []


LOOP = pipeline(
    'nodes: {l: {each: {i: "${n}"}, nodes: {a: {service: calc, with: {x: "${i}"}}}, output: "${a.v}", concurrency: 2}}\noutput: {r: "${l}"}',
    input="{n: [int]}",
)


class Picky(StepRunner):
    """A flow whose broker refuses what one message leads to: the task of this item."""

    def __init__(self, refused: int) -> None:
        self.refused = refused
        self.sent: list[set[int]] = []
        self.state: RunState | None = None
        partition = SimpleNamespace(state=lambda _: self.state, keep=self._remember)

        async def state(_: int) -> Any:
            return partition

        pipelines = SimpleNamespace(wait_topology=self._known)
        super().__init__(
            cast(Any, SimpleNamespace(state=state)),
            cast(Any, pipelines),
            cast(Any, None),
            cast(Any, None),
            lambda _: None,
        )

    async def _known(self, _: str) -> Topology:
        return LOOP

    def _remember(self, _: str, step: Step) -> None:
        self.state = step.state

    async def _carry_out(self, step: Step, topology: Topology | None, partition: int) -> None:
        tasks = {task.at[0] for task in step.messages if isinstance(task, Task)}
        if self.refused in tasks:
            raise Undeliverable("too large")
        self.sent.append(tasks)


def test_a_message_that_cannot_be_sent_fails_alone() -> None:
    """Messages that are taken together are sent together; where that is refused, one after another, and one alone fails."""

    async def main() -> None:
        core = Core(LOOP)
        runner = Picky(refused=3)
        core.start(n=[0] * 9)
        assert core.state is not None
        runner.state = replace(core.state, run=replace(core.run, deadline=math.inf))
        items: list[FlowMessage] = [core.item("l", number, 0) for number in range(3)]
        ready = [core.opened("l", tuple(range(9)))]

        def reading(message: FlowMessage) -> MessageReader:
            async def read() -> FlowMessage:
                return message

            return read

        assert await runner.take((0, "r"), [reading(message) for message in ready]) == [None]
        failures = await runner.take((0, "r"), [reading(message) for message in items])
        assert [type(failure) for failure in failures] == [type(None), Undeliverable, type(None)]
        assert runner.sent == [{0, 1}, {2}, {4}]

    asyncio.run(main())
