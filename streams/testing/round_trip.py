"""Every message to bytes and back inside one process: what a broker, a registry and an object store would keep."""

import hashlib
from collections.abc import Coroutine
from typing import Any, TypeVar

from schemas.encoding.codec import Codec
from schemas.refs import Ref
from schemas.registry.memory import MemoryRegistry
from schemas.results import result_schema
from streams.flow.state_rows import Row
from streams.language.topology import Topology
from streams.messages import Control, Event, JoinToken, LoopItemDone, LoopOpened, Result, Retry, Start, StopSignal, Task
from streams.wire import codec
from streams.wire.records import Outgoing, Place, Record
from streams.wire.topics import Topics

T = TypeVar("T")


class MemoryBlobs:
    """Objects by their hash."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    async def put(self, run: str, data: bytes, media_type: str) -> Ref:
        """Keep bytes."""
        digest = hashlib.sha256(data).hexdigest()
        self.objects[digest] = data
        return Ref("memory", f"runs/{run}/{digest}", len(data), digest, media_type)

    async def get(self, ref: Ref) -> bytes:
        """Return the bytes of a ref."""
        return self.objects[ref.sha256]


class Coder:
    """Messages and rows of one topology's runs, each as its reader has it after the real codec."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.blobs = MemoryBlobs()
        self._codec = Codec(MemoryRegistry())
        self._wire = codec.Wire(self._codec, Topics("memory-"), self.blobs)

    def __call__(self, message: Any) -> Any:
        """Write a message and read it again."""
        match message:
            case Task():
                schema = self.topology.services[message.service].input
                return _result_of(
                    self._wire.read_task(_sent(_result_of(self._wire.task(message, self.topology))), schema)
                )
            case Retry():
                return Retry(self(message.task), message.delay)
            case Event():
                return _result_of(self._wire.read_event(_sent(_result_of(self._wire.event(message))))).event
            case Control():
                return _result_of(self._wire.read_control(_sent(_result_of(self._wire.control(message)))))
            case JoinToken() | LoopOpened() | LoopItemDone() | Start() | StopSignal():
                return _result_of(self._wire.read_flow(_sent(_result_of(self._wire.flow(message)))))
            case Result():
                return self._result(message)
        raise AssertionError(f"nobody sends {message}")

    def row(self, row: Row) -> Row:
        """Write a row of the state and read it again."""
        again = _result_of(
            self._wire.read_row(_sent(_result_of(self._wire.row(codec.Row(row.run, row.row, row.value), 0))))
        )
        return Row(again.run, again.row, again.value)

    def _result(self, result: Result) -> Result:
        record = _sent(_result_of(self._wire.result(result, self.topology)))
        assert record.value is not None
        read = _result_of(self._codec.decode(record.value, result_schema(self.topology.name, self.topology.output)))
        return Result(result.run, result.kind, read["output"], result.failure)


def _sent(out: Outgoing) -> Record:
    """Return the record that a consumer gets."""
    return Record(Place(out.topic, 0), 0, out.key, out.value, out.headers)


def _result_of(work: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine that never has to wait."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("it waited")
