"""What `models.updates` says: the champion of each slot, kept up to date."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping

from schemas.errors import RegistryAway, SchemasError
from schemas.library import load
from streams.models import Champion
from streams.runtime.connections.connections import Connections
from streams.runtime.retrying import retry_until_available
from streams.wire import topics
from streams.wire.records import Record

log = logging.getLogger(__name__)

_PATIENCE = 10.0


class ModelUpdates:
    """The champions of all slots that have one; `changed` is called with a slot when its champion is another, or none."""

    def __init__(self, parts: Connections, changed: Callable[[str], None] = lambda _: None) -> None:
        self.champions: dict[str, Champion] = {}
        self._codec = parts.codec
        self._outages = parts.outages
        self._schema = load("ModelUpdate")
        self._changed = changed
        self._tail = parts.follow(topics.MODELS, self._take)

    async def start(self) -> None:
        """Reads the topic to its end, and on."""
        await self._tail.start()

    async def stop(self) -> None:
        """Ends the reading."""
        await self._tail.stop()

    async def reach(self, champions: Mapping[str, Champion | None]) -> None:
        """Returns when these are what the topic says (None: whatever it says), or after a while."""

        def reached() -> bool:
            said = self.champions
            wanted = {slot: said.get(slot) if one is None else one for slot, one in champions.items()}
            return said == {slot: one for slot, one in wanted.items() if one is not None}

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE), self._tail.advanced:
                await self._tail.advanced.wait_for(reached)

    async def _take(self, record: Record) -> None:
        slot = (record.key or b"").decode(errors="replace")
        value = record.value
        if value is None:
            if self.champions.pop(slot, None) is not None:
                self._changed(slot)
            return
        try:
            decoded = await retry_until_available(
                self._outages, "registry", lambda: self._codec.decode(value, self._schema), RegistryAway
            )
        except SchemasError as error:
            log.warning("%s names no model: %s", record.where, error)
            return
        champion = Champion.from_record(decoded)
        if champion.slot == slot and champion != self.champions.get(slot):
            self.champions[slot] = champion
            self._changed(slot)
