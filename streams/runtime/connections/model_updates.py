"""Follows `models.updates`: the champion of each slot."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping

from schemas.errors import RegistryUnavailable, SchemasError
from schemas.library import load
from streams.models import Champion
from streams.runtime.connections.connections import Connections
from streams.runtime.retrying import retry_until_available
from streams.wire import topics
from streams.wire.records import Record

log = logging.getLogger(__name__)

_PATIENCE = 10.0
"""Seconds."""


class ModelUpdates:
    """The champions of all slots that have one. `changed` is called with a slot when its champion changed or was removed."""

    def __init__(self, connections: Connections, changed: Callable[[str], None] = lambda _: None) -> None:
        self.champions: dict[str, Champion] = {}
        self._codec = connections.codec
        self._outages = connections.outages
        self._schema = load("ModelUpdate")
        self._changed = changed
        self._follower = connections.follow(topics.MODELS, self._take)

    async def start(self) -> None:
        """Read the topic to its end, and go on following it."""
        await self._follower.start()

    async def stop(self) -> None:
        """Stop following the topic."""
        await self._follower.stop()

    async def reach(self, champions: Mapping[str, Champion | None]) -> None:
        """Wait until the topic has these champions (None: any or none), at most ten seconds; return in either case."""

        def reached() -> bool:
            known = self.champions
            wanted = {slot: champion or known.get(slot) for slot, champion in champions.items()}
            return known == {slot: champion for slot, champion in wanted.items() if champion is not None}

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE), self._follower.advanced:
                await self._follower.advanced.wait_for(reached)

    async def _take(self, record: Record) -> None:
        slot = (record.key or b"").decode(errors="replace")
        value = record.value
        if value is None:
            if self.champions.pop(slot, None) is not None:
                self._changed(slot)
            return
        try:
            decoded = await retry_until_available(
                self._outages, "registry", lambda: self._codec.decode(value, self._schema), RegistryUnavailable
            )
        except SchemasError as error:
            log.warning("%s names no model: %s", record.where, error)
            return
        champion = Champion.from_record(decoded)
        if champion.slot == slot and champion != self.champions.get(slot):
            self.champions[slot] = champion
            self._changed(slot)
