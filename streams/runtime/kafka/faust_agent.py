"""The Faust agent that takes a group member's batches. The only module that knows Faust.

Faust runs the agent and its stream. Reading, commits and membership are librdkafka's, in `reading`, because Faust's own consumer
fetches every partition in every request and cannot read every codec.
"""

import asyncio
import logging
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import faust
from aiokafka.errors import KafkaError
from faust.app.base import BootStrategy

from streams.runtime.kafka.reading.batch import Batch

log = logging.getLogger(__name__)


class _Boot(BootStrategy):
    """Starts only the agents of a Faust app: nothing that speaks to Kafka or serves pages."""

    enable_kafka = False
    enable_sensors = False
    enable_web = False

    def kafka_conductor(self) -> Iterable[Any]:
        """Start no conductor of Faust's topics."""
        return ()

    def tables(self) -> Iterable[Any]:
        """Start no tables."""
        return ()


class _App(faust.App):
    logger = logging.getLogger("faust")  # otherwise Faust's services would log under this module's name
    BootStrategy = _Boot


class FaustAgent:
    """Calls `take` with one batch after another. `broken` is called with the reason when no more can be taken."""

    def __init__(self, group: str, take: Callable[[Batch], Awaitable[None]], broken: Callable[[str], None]) -> None:
        self._group = group
        self._take = take
        self._broken = broken
        self._app = _faust_app(group)
        self._channel = self._app.channel(maxsize=1)
        self._app.agent(self._channel, name=f"{group}.records")(self._consume)
        self._feeding: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the agent; it takes nothing yet."""
        await self._app.start()
        self._app.flow_control.resume()  # Faust waits for partitions of its own, which never come

    def feed(self, next_batch: Callable[[], Awaitable[Batch]]) -> None:
        """Feed the agent from now on: it gets the next batch when it has begun with the last."""
        self._feeding = asyncio.create_task(self._feed(next_batch), name=f"feeding of {self._group}")

    async def stop(self) -> None:
        """Stop feeding the agent, and the agent."""
        if self._feeding is not None:
            self._feeding.cancel()
        await self._app.stop()

    async def _feed(self, next_batch: Callable[[], Awaitable[Batch]]) -> None:
        try:
            while True:
                await self._channel.send(value=await next_batch())
        except KafkaError as error:
            self._broken(f"reading ended: {error}")

    async def _consume(self, batches: Any) -> None:
        async for batch in batches:
            try:
                await self._take(batch)
            except Exception as error:
                log.exception("%s cannot take records", self._group)
                self._broken(f"{type(error).__name__}: {error}")
                await asyncio.Event().wait()  # take nothing more: the worker will be restarted


def _faust_app(group: str) -> _App:
    return _App(
        id=group,
        broker="kafka://",  # never connected to
        datadir=Path(tempfile.gettempdir()) / "millrace-faust",  # Faust creates it, and without tables leaves it empty
        store="memory://",
        web_enabled=False,
        autodiscover=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        logging_config={"version": 1, "incremental": True, "disable_existing_loggers": False},
    )
