"""The forwarder of a retry tier, without a broker."""

import asyncio
import time
from typing import Any, cast

from streams.records import Outgoing, Place, Record
from streams.runtime.producer import Producer
from streams.runtime.publish import DUE, TARGET
from streams.runtime.retry import Retry


class Kept:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []

    async def send(self, record: Outgoing) -> None:
        """Sends one."""
        self.sent.append(record)


def waiting(due: float, written: float) -> Record:
    """A record of a tier, written and due at these times."""
    headers = ((DUE, str(due).encode()), (TARGET, b"task.calc.v1"))
    return Record(Place("retry.1s", 0), 0, b"key", b"value", headers, written)


def test_a_clock_that_is_behind_holds_nothing_up() -> None:
    """Who sent it lives an hour ahead: it waits for its delay, not for the hour."""

    async def main() -> None:
        kept, ahead = Kept(), time.time() + 3600
        async with asyncio.timeout(20):
            await Retry(cast(Any, kept), "", lambda: 0)(waiting(ahead + 0.1, ahead))
        assert [one.topic for one in kept.sent] == ["task.calc.v1"]

    asyncio.run(main())


def test_it_says_how_long_its_work_may_take() -> None:
    """A delay longer than any tier's is waited out, and whoever looks for hangs is told so."""

    async def main() -> None:
        now = time.time()
        retry = Retry(cast(Producer, Kept()), "", lambda: 0)
        assert retry.allowed == 0
        task = asyncio.create_task(retry(waiting(now + 3600, now)))
        await asyncio.sleep(0)
        assert 3590 < retry.allowed <= 3600
        task.cancel()
        await asyncio.wait([task])
        assert retry.allowed == 0

    asyncio.run(main())
