"""The order in which flow takes the messages of a run."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from schemas.errors import Undecodable
from streams.messages import Ending, FlowMessage, Stop
from streams.records import Place, Record
from streams.runtime.flow import Flow, Read
from streams.runtime.parts import Parts


class Slow(Flow):
    """A flow that needs as long to read a message as the message says, and notes what it takes."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        wire = SimpleNamespace(read_flow=self._read)
        parts = SimpleNamespace(topic=lambda name: name, wire=wire)
        publisher = SimpleNamespace(patiently=lambda action: action(), to_flow=None)
        super().__init__(cast(Parts, parts), cast(Any, None), cast(Any, publisher), cast(Any, None))

    async def _read(self, record: Record) -> FlowMessage:
        for _ in range(int(record.value or b"0")):
            await asyncio.sleep(0)
        return Stop("a" if record.offset < 100 else "b", Ending.CANCEL, str(record.offset))

    async def _take(self, place: tuple[int, str], reads: Sequence[Read]) -> list[Exception | None]:
        became: list[Exception | None] = []
        for read in reads:
            try:
                message = await read()
            except Undecodable as error:
                became.append(error)
                continue
            assert isinstance(message, Stop)
            self.taken.append(int(message.join or ""))
            became.append(None)
        return became


def message(offset: int, steps: int, run: str = "a") -> Record:
    """A record of `flow.tokens` that takes so many steps to read."""
    return Record(Place("flow.tokens", 0), offset, run.encode(), str(steps).encode())


def test_a_message_that_is_slow_to_read_is_not_overtaken_by_its_run() -> None:
    """Messages of one run are taken in the order of the log, however long each needs; other runs do not wait for them."""

    async def main() -> None:
        flow = Slow()
        await asyncio.gather(*map(flow.handle, (message(1, 50), message(2, 0), message(100, 0, "b"), message(3, 9))))
        assert [offset for offset in flow.taken if offset < 100] == [1, 2, 3]
        assert flow.taken[0] == 100

    asyncio.run(main())


def test_a_message_under_a_wrong_key_is_no_message() -> None:
    """Its turn would be another run's."""
    flow = Slow()
    with pytest.raises(Undecodable, match="its key is not the run"):
        asyncio.run(flow.handle(message(1, 0, "b")))
    assert flow.taken == []
