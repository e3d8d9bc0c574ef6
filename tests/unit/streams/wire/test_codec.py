"""Messages as records: every kind comes back as it went, large ones through S3."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, get_args

import pytest

from schemas import history
from schemas.encoding import binary
from schemas.encoding.codec import Codec
from schemas.errors import Undecodable
from schemas.library import fullname, load
from schemas.refs import Ref
from schemas.registry.memory import MemoryRegistry
from streams.compile import compile_pipeline
from streams.messages import (
    Action,
    Context,
    Control,
    Ending,
    Event,
    EventKind,
    Failure,
    Fault,
    FlowMessage,
    JoinToken,
    LoopItemDone,
    LoopOpened,
    Result,
    Run,
    Start,
    Status,
    StopSignal,
    Task,
)
from streams.wire import avro_records
from streams.wire.codec import ENVELOPE, ENVELOPE_SPILLED, LIMIT, SPILLED, Row, Wire, task_id
from streams.wire.records import Outgoing, Place, Record
from streams.wire.topics import Topics
from tests.integration.support.sample_services import add_one

RUN = Run("9b2f1b7e-58b3-4f0e-8a6a-0f8c5d9e2a11", "sum", "d" * 64, 1_800_000_000.5)
CONTEXT = Context({"a": {"n": 1, "x": [None, True, 1.5, "ü"]}}, frozenset({"b"}))
FAILURE = Failure("it broke", Fault.SERVICE, "faces[3].thumb", "mend it")
PIPELINE = """
pipeline: sum
input: {n: int}
nodes:
  a: {service: add-one, with: {n: "${n}"}}
output: {total: "${a.n}"}
"""
TOPOLOGY = compile_pipeline(PIPELINE, {"add-one": add_one.contract})
FLOW: list[FlowMessage] = [
    Start(RUN, {"n": 5}, "pipeline.sum.requests/0@7"),
    JoinToken(RUN, "$out", (), "a", Status.VALUE, CONTEXT),
    JoinToken(RUN, "$out", (1, 2), "a", Status.FAILED, Context(), FAILURE),
    LoopOpened(RUN, "loop", (3,), ({"n": 1}, None, "x"), CONTEXT, Context()),
    LoopItemDone(RUN, "loop", (3,), 4, Status.VALUE, {"n": [1]}),
    LoopItemDone(RUN, "loop", (), 0, Status.FAILED, None, FAILURE),
    StopSignal(RUN.id, Ending.CANCEL),
    StopSignal(RUN.id, Ending.DEADLINE, "join", (7,)),
]


class Shelf:
    """Blobs in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def put(self, run: str, data: bytes, media_type: str) -> Ref:
        """Keeps bytes."""
        key = f"runs/{run}/{len(self.kept)}"
        self.kept[key] = data
        return Ref("b", key, len(data), "0" * 64, media_type)

    async def get(self, ref: Ref) -> bytes:
        """Gives them back."""
        return self.kept[ref.key]


def on_wire(work: Callable[[Wire, Shelf], Coroutine[Any, Any, None]]) -> None:
    """Runs a test's coroutine with a wire in memory."""
    shelf = Shelf()
    asyncio.run(work(Wire(Codec(MemoryRegistry()), Topics("p-"), shelf, clock=lambda: 1_700_000_000.25), shelf))


def received(sent: Outgoing) -> Record:
    """The record that a consumer gets of what was sent."""
    return Record(Place(sent.topic, 0), 0, sent.key, sent.value, sent.headers)


REFUSED = Start(RUN, {}, "pipeline.sum.requests/0@8", refused=FAILURE)


def test_every_message_for_flow_has_a_row() -> None:
    """The table of records knows each kind of message, and each branch of the checked-in schema."""
    assert avro_records.FLOW_RECORDS.keys() == set(get_args(FlowMessage))
    (field,) = load("FlowMessage")["fields"]
    branches = {fullname(branch["name"], branch.get("namespace", "millrace")) for branch in field["type"]}
    assert {record.name for record in avro_records.FLOW_RECORDS.values()} == branches


@pytest.mark.parametrize("message", [*FLOW, REFUSED], ids=lambda one: type(one).__name__)
def test_flow_messages_come_back(message: FlowMessage) -> None:
    """Every message for flow comes back equal, on flow.tokens, keyed by its run."""

    async def main(wire: Wire, _: Shelf) -> None:
        sent = await wire.flow(message)
        assert (sent.topic, sent.key) == ("p-flow.tokens", RUN.id.encode())
        assert await wire.read_flow(received(sent)) == message

    on_wire(main)


def test_messages_of_one_run_have_ids_of_their_own() -> None:
    """No two different messages share a ce_id, and the same message has the same one each time."""

    async def main(wire: Wire, _: Shelf) -> None:
        ids = [dict((await wire.flow(message)).headers)["ce_id"] for message in FLOW]
        again = [dict((await wire.flow(message)).headers)["ce_id"] for message in FLOW]
        assert ids == again
        distinct = [0, 1, 2, 3, 4, 5, 6, 7]
        assert len({ids[number] for number in distinct}) == len(distinct)

    on_wire(main)


def task(**changes: Any) -> Task:
    """A task of the pipeline."""
    values: dict[str, Any] = {"input": {"n": 5}, "context": CONTEXT, "attempt": 2, "timeout": 1.5, **changes}
    return Task(RUN, "a", (1, 0), "a", "add-one", 1, **values)


def test_a_task_comes_back() -> None:
    """A task is its typed input, keyed by run and path, with all else in its envelope."""

    async def main(wire: Wire, _: Shelf) -> None:
        sent = await wire.task(task(), TOPOLOGY)
        assert (sent.topic, sent.key) == ("p-task.add-one.v1", f"{RUN.id}/a".encode())
        assert await wire.read_task(received(sent), add_one.contract.input) == task()
        headers = dict(sent.headers)
        assert headers["ce_id"] == task_id(task()).encode()
        assert headers["content-type"] == b"application/avro"
        assert (headers["traceparent"] or b"").startswith(b"00-")

    on_wire(main)


def test_large_messages_travel_through_s3() -> None:
    """An envelope, a value, a row past the limit travel as refs, and come back whole."""

    async def main(wire: Wire, shelf: Shelf) -> None:
        large = Context({"a": "x" * (LIMIT + 1)})
        sent = await wire.task(task(context=large), TOPOLOGY)
        assert ENVELOPE not in dict(sent.headers)
        assert ENVELOPE_SPILLED in dict(sent.headers)
        assert await wire.read_task(received(sent), add_one.contract.input) == task(context=large)
        token = JoinToken(RUN, "j", (), "a", Status.VALUE, large)
        moved = await wire.flow(token)
        assert SPILLED in dict(moved.headers)
        assert moved.value == b""
        assert await wire.read_flow(received(moved)) == token
        row = await wire.row(Row(RUN.id, "token|j||a", {"context": "x" * (LIMIT + 1)}), 3)
        assert (await wire.read_row(received(row))).value == {"context": "x" * (LIMIT + 1)}
        assert len(shelf.kept) == 3

    on_wire(main)


@pytest.mark.parametrize("message", FLOW, ids=lambda message: type(message).__name__)
def test_messages_of_the_first_release_are_read(message: FlowMessage) -> None:
    """Decoding fills in the fields that the release did not have, so its messages are read as any other."""
    released = history.released(history.releases()[0])

    def older(record: dict[str, Any], path: str) -> dict[str, Any]:
        names = {field["name"] for field in released[path]["fields"]}
        return {name: value for name, value in record.items() if name in names}

    name, record = avro_records.flow(message, 5.0)
    record = older(record, f"{name.removeprefix('millrace.')}.avsc")
    if isinstance(record["run"], dict):
        record["run"] = older(record["run"], "Run.avsc")
    writer = released["FlowMessage.avsc"]
    data = binary.write(writer, {"message": (name, record)})
    value = binary.read(data, writer, load("FlowMessage"), tagged=True)
    assert avro_records.read_flow(value["message"]) == message


SAID = (
    Event(RUN, EventKind.ACCEPTED, data={"input": {"n": 5}}, time=1_600_000_000.5),
    Event(RUN, EventKind.FINISHED, "a", (1, 0), "a", 1, {"output": {"n": 6}}),
)


def test_a_task_brings_what_is_not_published_yet() -> None:
    """Each event with its time: when it happened, or when the task was sent."""

    async def main(wire: Wire, _: Shelf) -> None:
        sent = replace(task(said=SAID), run=replace(RUN, straight=True))
        again = await wire.read_task(received(await wire.task(sent, TOPOLOGY)), add_one.contract.input)
        assert again == sent
        assert [event.time for event in again.said] == [1_600_000_000.5, 1_700_000_000.25]

    on_wire(main)


def test_a_task_of_the_first_release_is_read() -> None:
    """It brings no events, and its run is not straight."""
    released = history.released(history.releases()[0])
    writer = released["Envelope.avsc"]
    names = {field["name"] for field in writer["fields"]}
    record = {name: value for name, value in avro_records.envelope(task(), 5.0).items() if name in names}
    kept = {field["name"] for field in released["Run.avsc"]["fields"]}
    record["run"] = {name: value for name, value in record["run"].items() if name in kept}
    about = binary.read(binary.write(writer, record), writer, load("Envelope"))
    assert avro_records.task(about, {"n": 5}, "add-one", 1) == task()


def test_an_event_comes_back_with_its_time() -> None:
    """An event keeps its id, and says when it was sent."""

    async def main(wire: Wire, _: Shelf) -> None:
        event = Event(RUN, EventKind.FINISHED, "a", (2,), "loop[2].a", 1, {"output": {"n": 1}})
        sent = await wire.event(event)
        told = await wire.read_event(received(sent))
        assert (told.event, told.id, told.at) == (event, event.id, 1_700_000_000.25)
        assert dict(sent.headers)["ce_type"] == b"node.finished"
        assert dict(sent.headers)["ce_time"] == b"2023-11-14T22:13:20.250000+00:00"

    on_wire(main)


def test_rows_and_orders_come_back() -> None:
    """A row keeps its partition, a tombstone its key; an order to workers comes back equal."""

    async def main(wire: Wire, _: Shelf) -> None:
        sent = await wire.row(Row(RUN.id, "open", {"digest": "d"}), 5)
        assert (sent.partition, sent.key) == (5, f"{RUN.id}|open".encode())
        assert await wire.read_row(received(sent)) == Row(RUN.id, "open", {"digest": "d"}, 1_700_000_000.25)
        gone = await wire.row(Row(RUN.id, "token|j||a", None), 5)
        assert gone.value is None
        assert (await wire.read_row(received(gone))).row == "token|j||a"
        order = Control(RUN.id, Action.ABORT)
        assert await wire.read_control(received(await wire.control(order))) == order

    on_wire(main)


def test_a_result_is_typed() -> None:
    """A result is a record of the pipeline's own schema, whether it finished or not."""

    async def main(wire: Wire, _: Shelf) -> None:
        sent = await wire.result(Result(RUN, EventKind.RUN_FINISHED, {"total": 6}), TOPOLOGY)
        assert sent.topic == "p-pipeline.sum.results"
        value = await wire._codec.decode(sent.value or b"")
        assert (value["run"], value["status"], value["output"]) == (RUN.id, "finished", {"total": 6})
        failed = await wire.result(Result(RUN, EventKind.RUN_FAILED, None, FAILURE), TOPOLOGY)
        value = await wire._codec.decode(failed.value or b"")
        assert (value["status"], value["output"], value["failure"]["reason"]) == ("failed", None, "it broke")

    on_wire(main)


def test_a_record_that_is_no_message_is_refused() -> None:
    """Garbage, a missing envelope and a spoilt reference are the record's fault, each with its place."""

    async def main(wire: Wire, _: Shelf) -> None:
        for value, headers in ((b"garbage", ()), (None, ()), (b"", ((SPILLED, b"{}"),))):
            with pytest.raises(Undecodable):
                await wire.read_flow(Record(Place("t", 1), 9, b"k", value, headers))
        with pytest.raises(Undecodable, match="t/1@9 has no header millrace-envelope"):
            await wire.read_task(Record(Place("t", 1), 9, b"k", b"x"), add_one.contract.input)

    on_wire(main)
