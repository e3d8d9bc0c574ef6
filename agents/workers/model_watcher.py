"""The agent that watches the registry of models, and says on `models.updates` which version of each slot is to serve."""

import asyncio
import logging
import time

from schemas.encoding.codec import value_subject
from schemas.errors import RegistryUnavailable
from schemas.library import load
from streams.background import ended
from streams.models import Champion
from streams.runtime.connections.connections import Connections
from streams.runtime.connections.model_updates import ModelUpdates
from streams.runtime.models.champions import Connection, ModelRegistryUnavailable, connected, versions
from streams.runtime.retrying import retry_until_available
from streams.wire import topics
from streams.wire.records import Outgoing

log = logging.getLogger(__name__)

NAME = "models"
PERIOD = 2.0
"""Seconds between two checks of the registry."""
_LOCK = 0x6D6F6465
"""Advisory lock: only the watcher that holds it checks the registry."""


class Watcher:
    """Checks the aliases of MLflow's registry, and publishes changes."""

    def __init__(self, connections: Connections, period: float = PERIOD) -> None:
        self._connections = connections
        self._period = period
        self._schema = load("ModelUpdate")
        self._updates = ModelUpdates(connections)
        self._task: asyncio.Task[None] | None = None
        self._complained: dict[str, str] = {}

    async def start(self) -> None:
        """Read the published state, and start watching."""
        await self._updates.start()
        self._task = asyncio.create_task(self._run(), name=NAME)

    async def stop(self) -> None:
        """Stop watching."""
        await ended(self._task)
        await self._updates.stop()

    async def _run(self) -> None:
        while True:
            try:
                await self._look()
            except ModelRegistryUnavailable as error:
                self._complain("the registry", f"{error}; what serves continues")
            except Exception:  # whatever it is, watching continues
                log.exception("the registry of models cannot be read")
            await asyncio.sleep(self._period)

    async def _look(self) -> None:
        async with connected(self._connections.settings) as connection:
            if connection is None:
                await self._say({})
            elif await _alone(connection, self._connections.settings.topic_prefix):
                await self._watch(connection)

    async def _watch(self, connection: Connection) -> None:
        while True:
            current = [version for version in await versions(connection) if version.champion]
            champions: dict[str, Champion | None] = {}
            for champion in current:
                champions[champion.slot] = champion.as_champion()
                if champions[champion.slot] is None:
                    self._complain(
                        champion.slot,
                        f"version {champion.number} has the alias and names no bundle; what serves continues",
                    )
            await self._say(champions)
            self._complained.pop("the registry", None)
            await asyncio.sleep(self._period)

    async def _say(self, champions: dict[str, Champion | None]) -> None:
        """Publish what is new. A slot whose champion is None stays as it is; one that is missing returns to its shipped model."""
        topic = self._connections.topic(topics.MODELS)
        news, messages = [], []
        for slot, champion in champions.items():
            if champion is not None and champion != self._updates.champions.get(slot):
                news.append(Outgoing(topic, slot.encode(), await self._encoded(topic, champion)))
                messages.append(f"{slot} is to be served by {champion.model} {champion.version}")
        for slot in self._updates.champions.keys() - champions.keys():
            news.append(Outgoing(topic, slot.encode(), None))
            messages.append(f"{slot} is to be served by its shipped model")
        if news:
            await self._connections.producer.send_all(news)
            for message in messages:  # only now: until the broker has it, no worker will ever know
                log.info("%s", message)
            await self._updates.reach(champions)

    async def _encoded(self, topic: str, champion: Champion) -> bytes:
        record = champion.to_record(time.time())
        return await retry_until_available(
            self._connections.outages,
            "registry",
            lambda: self._connections.codec.encode(value_subject(topic), self._schema, record),
            RegistryUnavailable,
        )

    def _complain(self, about: str, what: str) -> None:
        if self._complained.get(about) != what:
            self._complained[about] = what
            log.warning("%s: %s", about, what)


async def _alone(connection: Connection, prefix: str) -> bool:
    """Become the only watcher of this installation, as long as the connection lasts; return whether that succeeded."""
    row = await (
        await connection.execute("select pg_try_advisory_lock(%s, hashtext(%s)) as mine", (_LOCK, prefix))
    ).fetchone()
    return bool(row and row["mine"])
