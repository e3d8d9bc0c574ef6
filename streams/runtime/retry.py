"""The forwarder of one retry tier: each record waits until it is due, then goes on to where it belongs."""

import asyncio
import time
from collections.abc import Callable

from schemas.errors import Undecodable
from streams.records import Outgoing, Record
from streams.runtime.errors import Revoked
from streams.runtime.producer import Producer
from streams.runtime.publish import DUE, TARGET

ROOM = 1000
"""Records of a tier that wait in memory. More do not wait longer: within a tier the first is due first."""


class Retry:
    """Handles the records of a tier. `generation` tells whether this worker still has the partition."""

    def __init__(self, producer: Producer, prefix: str, generation: Callable[[], int]) -> None:
        self._producer = producer
        self._prefix = prefix
        self._generation = generation
        self._waits: list[float] = []

    @property
    def allowed(self) -> float:
        """Seconds that the one that waits longest waits in all."""
        return max(self._waits, default=0.0)

    async def __call__(self, record: Record) -> None:
        """Waits and forwards. Raises Undecodable for a record that does not say where it is to go."""
        generation = self._generation()
        due, target = record.header(DUE), record.header(TARGET)
        try:
            moment = float(due or b"")
        except ValueError:
            raise Undecodable(f"{record.where}: the header {DUE} is no time") from None
        topic = (target or b"").decode(errors="replace")
        if not topic.startswith(f"{self._prefix}task."):
            raise Undecodable(f"{record.where}: the header {TARGET} names no topic of tasks")
        # Never longer than its whole delay: the clock of who sent it may be another, or have been set since.
        wait = min(moment - time.time(), moment - record.timestamp)
        if wait > 0:
            self._waits.append(wait)
            try:
                await asyncio.sleep(wait)
            finally:
                self._waits.remove(wait)
        if generation != self._generation():
            raise Revoked(record.where)
        headers = tuple((name, value) for name, value in record.headers if name not in (DUE, TARGET))
        await self._producer.send(Outgoing(topic, record.key, record.value, headers))
