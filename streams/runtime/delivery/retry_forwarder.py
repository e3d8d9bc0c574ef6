"""The forwarder of a retry tier: each record waits until it is due, at most for the delay of the tier, and moves on."""

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
"""Records of a tier that wait in memory; holding more would speed up nothing, since a tier is first in, first out."""


class RetryForwarder:
    """Handles the records of a tier. `generation` returns the member's generation, which changes when it loses a partition."""

    def __init__(self, producer: Producer, names: Topics, name: str, generation: Callable[[], int]) -> None:
        self._producer = producer
        self._names = names
        self._delay = dict(RETRY_TIERS)[name]
        self._generation = generation

    async def __call__(self, record: Record) -> None:
        """Wait and forward. Raises Undecodable for a record without a valid due time or target, and Revoked after a rebalance."""
        generation = self._generation()
        due, target = record.header(DUE), record.header(TARGET)
        try:
            moment = float(due or b"")
        except ValueError:
            raise Undecodable(f"{record.where}: the header {DUE} is not a time") from None
        topic = (target or b"").decode(errors="replace")
        if not topic.startswith(f"{self._names.prefix}task."):
            raise Undecodable(f"{record.where}: the header {TARGET} names no topic of tasks")
        # Never longer than its whole delay: the sender's clock may differ from ours, or have been set since.
        wait = min(moment - time.time(), moment - record.timestamp)
        # Nor longer than the tier's: a record due later would hold up everything behind it, so it goes to the end of the queue instead.
        await asyncio.sleep(min(wait, self._delay))
        if generation != self._generation():
            raise Revoked(record.where)
        headers = [(name, value) for name, value in record.headers if name not in (DUE, TARGET)]
        left = wait - self._delay
        if left > 0:
            topic = self._names.retry(tier(left))
            headers += [(DUE, f"{time.time() + left:.3f}".encode()), (TARGET, target or b"")]
        await self._producer.send(Outgoing(topic, record.key, record.value, tuple(headers)))
