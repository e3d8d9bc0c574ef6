"""The topic run.events, read out of turn: a range of one run's events, and the JSON of a record."""

from collections.abc import AsyncIterator, Callable

from aiokafka.errors import KafkaError

from gateway.api.problems import Kind, Problem
from gateway.data.logged_event import LoggedEvent, parse_event, run_of
from gateway.data.render import event_json
from streams.runtime.kafka.offsets import Offsets
from streams.wire.codec import Wire
from streams.wire.records import Place, Record

MAX_SCAN = 200_000
"""Records of one partition that are read to restore one run, at most."""
_STEP = 5_000


def log_unavailable() -> Problem:
    """Return the problem of a log that cannot be read."""
    return Problem(
        Kind.UNAVAILABLE, "The log of events (Kafka) does not answer; try again.", headers={"Retry-After": "2"}
    )


class EventLog:
    """Reads run.events where neither the cache nor the history has what is asked for."""

    def __init__(self, topic: str, wire: Wire, open_offsets: Callable[[], Offsets]) -> None:
        """`open_offsets`: makes a client of its own for each scan, which may take long."""
        self.topic = topic
        self._wire = wire
        self._open_offsets = open_offsets

    async def between(self, run: str, partition: int, start: int, stop: int) -> list[LoggedEvent]:
        """Return the run's events with start ≤ offset < stop, of the last MAX_SCAN. Raises Problem (503)."""
        if start >= stop:
            return []
        offsets = self._open_offsets()
        place = Place(self.topic, partition)
        try:
            await offsets.start()
            start = max(start, (await offsets.beginnings([place]))[place], stop - MAX_SCAN)
            return [event async for event in _scan(offsets, place, run, start, stop)]
        except (KafkaError, OSError) as error:
            raise log_unavailable() from error
        finally:
            await offsets.stop()

    async def decode(self, record: Record) -> bytes:
        """Return an event's JSON as clients get it. Raises Undecodable."""
        message = await self._wire.read_event(record)
        event = message.event
        extra = {} if event.vertex else {"pipeline": event.run.pipeline, "digest": event.run.digest}
        return event_json(
            event.run.id, event.kind.value, event.vertex, event.path, message.at, event.attempt, event.data, **extra
        )


async def _scan(offsets: Offsets, place: Place, run: str, start: int, stop: int) -> AsyncIterator[LoggedEvent]:
    """Yield a run's events with start ≤ offset < stop."""
    for low in range(start, stop, _STEP):
        for record in await offsets.read(place, low, min(stop, low + _STEP)):
            event = parse_event(record) if run_of(record) == run else None
            if event is not None:
                yield event
