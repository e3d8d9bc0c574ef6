"""Nothing of a run is lost in Avro: every message and row passes the real codec on its way."""

import hashlib
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import Codec
from schemas.memory import MemoryRegistry
from schemas.refs import Ref
from schemas.results import result_schema
from streams import wire
from streams.messages import Control, Event, Item, Opened, Result, Retry, Start, Stop, Task, Token
from streams.records import Outgoing, Place, Record
from streams.rows import Row
from streams.testing import STORM
from streams.topics import Topics
from streams.topology import Topology
from tests.property.effort import effort
from tests.property.harness import Watched, agrees, check_ending, compiled, endings
from tests.property.pipelines import Case, Shape, cases

T = TypeVar("T")


def made(work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine gives that never has to wait."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("it waited")


@dataclass
class MemoryBlobs:
    """Objects by their hash."""

    objects: dict[str, bytes] = field(default_factory=dict)

    async def put(self, run: str, data: bytes, media_type: str) -> Ref:
        """Keep bytes."""
        digest = hashlib.sha256(data).hexdigest()
        self.objects[digest] = data
        return Ref("memory", f"runs/{run}/{digest}", len(data), digest, media_type)

    async def get(self, ref: Ref) -> bytes:
        """The bytes of a ref."""
        return self.objects[ref.sha256]


@dataclass
class Coder:
    """Every message to bytes and back."""

    topology: Topology

    def __post_init__(self) -> None:
        self.blobs = MemoryBlobs()
        self.codec = Codec(MemoryRegistry())
        self.wire = wire.Wire(self.codec, Topics("test-"), self.blobs)

    def __call__(self, message: Any) -> Any:
        """The message as its reader has it."""
        again = self.coded(message)
        assert again == message
        return again

    def coded(self, message: Any) -> Any:
        """Written and read."""
        match message:
            case Task():
                schema = self.topology.services[message.service].input
                return made(self.wire.read_task(self.sent(made(self.wire.task(message, self.topology))), schema))
            case Retry():
                return Retry(self.coded(message.task), message.delay)
            case Event():
                return made(self.wire.read_event(self.sent(made(self.wire.event(message))))).event
            case Control():
                return made(self.wire.read_control(self.sent(made(self.wire.control(message)))))
            case Token() | Opened() | Item() | Start() | Stop():
                return made(self.wire.read_flow(self.sent(made(self.wire.flow(message)))))
            case Result():
                record = self.sent(made(self.wire.result(message, self.topology)))
                schema = result_schema(self.topology.name, self.topology.output)
                assert record.value is not None
                assert made(self.codec.decode(record.value, schema))["output"] == message.output
                return message
        raise AssertionError(f"nobody sends {message}")

    def row(self, row: Row) -> Row:
        """A row of the state, written and read."""
        again = made(self.wire.read_row(self.sent(made(self.wire.row(wire.Row(row.run, row.row, row.value), 0)))))
        assert (again.run, again.row, again.value) == (row.run, row.row, row.value)
        return Row(again.run, again.row, again.value)

    def sent(self, out: Outgoing) -> Record:
        """What a consumer gets."""
        return Record(Place(out.topic, 0), 0, out.key, out.value, out.headers)


@dataclass
class Coded(Watched):
    """A driver whose log goes through the codec too."""

    coder: Coder | None = None

    def write(self, row: Row) -> None:
        """Write a row as its reader will have it."""
        assert self.coder is not None
        super().write(self.coder.row(row))


@pytest.mark.parametrize("limit", [wire.LIMIT, 40], ids=["inside", "spilled"])
@effort
@given(case=cases(Shape(any_of=True)), seed=st.integers(0, 2**16))
def test_a_run_is_the_same_through_the_codec(limit: int, case: Case, seed: int) -> None:
    """Every message and row is read as it was written, also when it is too large for a record and lies in S3."""
    topology = compiled(case)
    coder = Coder(topology)
    driver = Coded(topology, weather=STORM, seed=seed, compare_rows=True, coder=coder, through=coder)
    with patch.object(wire, "LIMIT", limit):
        seen = driver.run(case.input)
    check_ending(driver, races=True)
    assert any(agrees(seen, ending) for ending in endings(case))
    assert bool(coder.blobs.objects) == (limit == 40)
