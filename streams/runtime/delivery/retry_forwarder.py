"""The forwarder of one retry tier: each record waits there until it is due, as long as the tier waits at most, and goes on."""

import asyncio
import time
from collections.abc import Callable

from schemas.errors import Undecodable
from streams.runtime.connections.publish import DUE, TARGET
from streams.runtime.errors import Revoked
from streams.runtime.kafka.producer import Producer
from streams.wire.records import Outgoing, Record
from streams.wire.topics import RETRY_TIERS, Topics, tier

ROOM = 1000
"""Records of a tier that wait in memory. More do not wait longer: within a tier the first goes on first."""


class RetryForwarder:
    """Handles the records of a tier. `generation` tells whether this worker still has the partition."""

    def __init__(self, producer: Producer, names: Topics, name: str, generation: Callable[[], int]) -> None:
        self._producer = producer
        self._names = names
        self._delay = dict(RETRY_TIERS)[name]
        self._generation = generation

    async def __call__(self, record: Record) -> None:
        """Waits and forwards. Raises Undecodable for a record that does not say where it is to go."""
        generation = self._generation()
        due, target = record.header(DUE), record.header(TARGET)
        try:
            moment = float(due or b"")
        except ValueError:
            raise Undecodable(f"{record.where}: the header {DUE} is no time") from None
        topic = (target or b"").decode(errors="replace")
        if not topic.startswith(f"{self._names.prefix}task."):
            raise Undecodable(f"{record.where}: the header {TARGET} names no topic of tasks")
        # Never longer than its whole delay: the clock of who sent it may be another, or have been set since.
        wait = min(moment - time.time(), moment - record.timestamp)
        # Nor longer than the tier's: what is due after that would hold up everything behind it, and goes to its end instead.
        await asyncio.sleep(min(wait, self._delay))
        if generation != self._generation():
            raise Revoked(record.where)
        headers = [(name, value) for name, value in record.headers if name not in (DUE, TARGET)]
        left = wait - self._delay
        if left > 0:
            topic = self._names.retry(tier(left))
            headers += [(DUE, f"{time.time() + left:.3f}".encode()), (TARGET, target or b"")]
        await self._producer.send(Outgoing(topic, record.key, record.value, tuple(headers)))
