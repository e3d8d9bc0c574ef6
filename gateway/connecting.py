"""Connecting a gateway in the background: it serves at once, with 503 for whatever is not connected yet."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from aiokafka.errors import KafkaError

from gateway.following.event_tail import EventTail
from streams.background import ended
from streams.runtime.retrying import delays

log = logging.getLogger(__name__)

Start = Callable[[], Awaitable[None]]


class Startable(Protocol):
    """A part that reads from Kafka in the background; its start returns once it has read what was there."""

    async def start(self) -> None:
        """Start reading. Raises KafkaError."""

    async def stop(self) -> None:
        """Stop reading. Raises KafkaError."""


class BackgroundConnection:
    """Connects the parts of one gateway that need Kafka, however long a broker is unavailable."""

    def __init__(
        self, clients: Sequence[Start], tail: EventTail, catalogues: Sequence[Startable], warmup: Startable
    ) -> None:
        """`clients`: started first, each until it succeeds. `warmup`: started last."""
        self._clients = clients
        self._tail = tail
        self._catalogues = catalogues
        self._warmup = warmup
        self._task: asyncio.Task[None] | None = None
        self.connected = False
        """Whether the catalogues of services and pipelines have been read."""

    def start(self) -> None:
        """Begin to connect."""
        self._task = asyncio.create_task(self._connect(), name="connect")

    async def stop(self) -> None:
        """Stop connecting and reading."""
        await ended(self._task)
        readers: list[Startable | EventTail] = [self._warmup, self._tail, *self._catalogues]
        for part in readers:
            with contextlib.suppress(KafkaError, OSError):
                await part.stop()

    async def check(self) -> None:
        """Return when everything has been read. Raises OSError that says what is missing."""
        if not self._tail.ready.is_set():
            raise OSError("the log of events has not been read to its end yet, or its topic is missing")
        if not self.connected:
            raise OSError(
                "the catalogues of services and pipelines have not been read yet, or their topics are missing"
            )

    async def _connect(self) -> None:
        for start in self._clients:
            await _retried(start)
        self._tail.start()
        await asyncio.gather(*(catalogue.start() for catalogue in self._catalogues))
        self.connected = True
        await self._warmup.start()


async def _retried(start: Start) -> None:
    for delay in delays():
        try:
            await start()
            return
        except (KafkaError, OSError) as error:
            log.warning("Kafka does not answer (%s): trying again", error)
        await asyncio.sleep(delay)
