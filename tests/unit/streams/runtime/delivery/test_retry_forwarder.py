"""The forwarder of a retry tier, without a broker."""

import asyncio
import time
from typing import cast

from streams.runtime.connections.publish import DUE, TARGET
from streams.runtime.delivery.retry_forwarder import RetryForwarder
from streams.runtime.kafka.producer import Producer
from streams.wire.records import Outgoing, Place, Record
from streams.wire.topics import Topics


class Kept:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []

    async def send(self, record: Outgoing) -> None:
        """Sends one."""
        self.sent.append(record)


def waiting(due: float, written: float) -> Record:
    """A record of a tier, written and due at these times."""
    headers = ((DUE, str(due).encode()), (TARGET, b"x.task.calc.v1"))
    return Record(Place("x.retry.1s", 0), 0, b"key", b"value", headers, written)


def test_a_clock_that_is_behind_holds_nothing_up() -> None:
    """Who sent it lives an hour ahead: it waits for its delay, not for the hour."""

    async def main() -> None:
        kept, ahead = Kept(), time.time() + 3600
        async with asyncio.timeout(20):
            await RetryForwarder(cast(Producer, kept), Topics("x."), "1s", lambda: 0)(waiting(ahead + 0.1, ahead))
        assert [one.topic for one in kept.sent] == ["x.task.calc.v1"]

    asyncio.run(main())


def test_a_record_due_after_the_tiers_wait_does_not_block_others() -> None:
    """After the tier's second it goes to the end of the tier that fits what is left, with the same target."""

    async def main() -> None:
        kept, now = Kept(), time.time()
        await RetryForwarder(cast(Producer, kept), Topics("x."), "1s", lambda: 0)(waiting(now + 3600, now))
        (sent,) = kept.sent
        assert (sent.topic, sent.key, sent.value) == ("x.retry.5m", b"key", b"value")
        headers = dict(sent.headers)
        assert headers.keys() == {DUE, TARGET}
        assert headers[TARGET] == b"x.task.calc.v1"
        assert now + 3600 - 0.01 < float(headers[DUE] or b"") < now + 3660

    asyncio.run(main())
