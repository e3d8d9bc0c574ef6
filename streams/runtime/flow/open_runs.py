"""Straight runs of which flow has records in hand: each run's are taken in the order of the log, and beginnings wait for ends."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field

from streams.runtime.errors import Revoked

_SHORT = 1.0
"""Seconds after which a run is long enough to be written down."""


def _future() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True)
class _OpenRun:
    partition: int
    pending: dict[int, asyncio.Future[None]] = field(default_factory=dict)
    """Records that are not taken yet, by offset; each future is done when its record is."""
    ended: asyncio.Future[None] = field(default_factory=_future)
    """Done when all that follows from the run's end was done."""
    waiting: set[int] = field(default_factory=set)
    """Offsets of beginnings that are not acknowledged yet."""

    @property
    def idle(self) -> bool:
        """Whether nothing of it is in hand."""
        return not (self.pending or self.waiting)

    def revoke(self, run: str) -> None:
        """Wake every call that waits; what is in hand will be handled again."""
        for future in (*self.pending.values(), self.ended):
            if not future.done():
                future.set_exception(Revoked(f"run {run}"))
                future.exception()  # nobody may wait for it
        self.pending = {offset: _future() for offset in self.pending}
        self.ended = _future()


class OpenRuns:
    """The runs of one generation of the group membership, by id.

    Records are handled concurrently, and one that fails is handled again later. Of several ends the first in the log counts,
    and no end may be taken before its run's beginning: so each record waits for those before it.
    """

    def __init__(self) -> None:
        self._runs: dict[str, _OpenRun] = {}

    def add(self, run: str, partition: int, offset: int, *, begins: bool) -> None:
        """Add a record that is in hand now; call this before anything is awaited. Adding it again changes nothing."""
        entry = self._runs.setdefault(run, _OpenRun(partition))
        entry.pending.setdefault(offset, _future())
        if begins:
            entry.waiting.add(offset)

    async def turn(self, run: str, offset: int) -> None:
        """Wait until every earlier record of the run that is in hand was taken. Raises Revoked."""
        while (earlier := self._earlier(run, offset)) is not None:
            await asyncio.shield(earlier)

    def take(self, run: str, offset: int, *, ends: bool) -> None:
        """Note that all that follows from a record was done."""
        entry = self._runs.get(run)
        if entry is None:
            return
        future = entry.pending.pop(offset, None)
        for done in (future, entry.ended if ends else None):
            if done is not None and not done.done():
                done.set_result(None)
        self._tidy(run, entry)

    async def ended(self, run: str) -> bool:
        """Wait for the end of a run; False when it has not ended within a short time. Raises Revoked."""
        entry = self._runs.get(run)
        if entry is None:
            return True
        try:
            async with asyncio.timeout(_SHORT):
                await asyncio.shield(entry.ended)
        except TimeoutError:
            return False
        return True

    def drop(self, run: str, offset: int) -> None:
        """Forget a beginning that may be acknowledged."""
        entry = self._runs.get(run)
        if entry is not None:
            entry.waiting.discard(offset)
            self._tidy(run, entry)

    def release(self, owned: Collection[int]) -> None:
        """Begin a generation with these partitions. Every call that waits raises Revoked.

        What is in hand of partitions that stay is handled again, in whatever order, and keeps its turn.
        """
        for run, entry in list(self._runs.items()):
            entry.revoke(run)
            if entry.partition not in owned:
                del self._runs[run]

    def _earlier(self, run: str, offset: int) -> asyncio.Future[None] | None:
        entry = self._runs.get(run)
        before = [earlier for earlier in entry.pending if earlier < offset] if entry is not None else []
        return entry.pending[min(before)] if entry is not None and before else None

    def _tidy(self, run: str, entry: _OpenRun) -> None:
        if entry.idle:
            del self._runs[run]
