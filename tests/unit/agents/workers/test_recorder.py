"""The order in which the recorder writes events."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agents.workers.recorder import Recorder
from schemas.errors import Undecodable
from streams.runtime.connections.connections import Connections
from streams.runtime.history.folding import LoggedEvent
from streams.runtime.retrying import Outages
from streams.settings import Settings
from streams.wire.records import Place, Record


class Slow(Recorder):
    """A recorder that needs as many steps to read an event as the record says, and notes what it would write."""

    def __init__(self) -> None:
        self.written: list[int] = []
        wire = SimpleNamespace(read_event=self._event)
        connections = SimpleNamespace(wire=wire, outages=Outages(), settings=Settings(), store=None)
        super().__init__(cast(Connections, connections))

    async def _event(self, record: Record) -> Any:
        for _ in range(int(record.value or b"0")):
            await asyncio.sleep(0)
        if record.value == b"0":
            raise Undecodable("no event")
        return None

    async def _record(self, batch: list[LoggedEvent]) -> None:
        self.written += [event.offset for event in batch]


def test_an_event_that_is_slow_to_read_is_not_overtaken() -> None:
    """Events are written in the order of the log, however long each needs to be read; what is none is its handler's affair."""

    async def main() -> None:
        recorder = Slow()
        await recorder.start()
        records = [
            Record(Place("run.events", 0), at, b"run", str(steps).encode()) for at, steps in enumerate((50, 1, 0, 9))
        ]
        first, second, none, last = await asyncio.gather(*map(recorder, records), return_exceptions=True)
        assert (first, second, last) == (None, None, None)
        with pytest.raises(Undecodable):
            raise cast(Undecodable, none)
        assert recorder.written == [0, 1, 3]
        await recorder.stop()

    asyncio.run(main())
