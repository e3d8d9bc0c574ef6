"""Straight runs whose first event is not acknowledged yet: flow takes their ends behind their beginnings, and waits for the ends."""

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
    begun: asyncio.Future[None] = field(default_factory=_future)
    """Done when its beginning was taken."""
    ended: asyncio.Future[None] = field(default_factory=_future)
    """Done when all that follows from its end was done."""


class OpenRuns:
    """The runs of one generation of the group membership, by id.

    Records are handled concurrently, and one that fails is handled again later: a run is added while its beginning is
    handled, so that its end, which is read later, waits for it.
    """

    def __init__(self) -> None:
        self._runs: dict[str, _OpenRun] = {}

    def add(self, run: str, partition: int) -> None:
        """Add a run whose beginning is read now."""
        if run not in self._runs:
            self._runs[run] = _OpenRun(partition)

    def begin(self, run: str) -> None:
        """Note that a run's beginning was taken."""
        if run in self._runs:
            _finish(self._runs[run].begun)

    def end(self, run: str) -> None:
        """Note that everything that follows from a run's end is done."""
        if run in self._runs:
            _finish(self._runs[run].ended)

    def drop(self, run: str) -> None:
        """Forget a run whose beginning may be acknowledged."""
        self._runs.pop(run, None)

    def release(self, owned: Collection[int]) -> None:
        """Begin a generation with these partitions; every call that waits raises Revoked.

        Their beginnings and ends are handled again, in whatever order.
        """
        former, self._runs = self._runs, {}
        for name, run in former.items():
            for future in (run.begun, run.ended):
                if not future.done():
                    future.set_exception(Revoked(f"run {name}"))
                    future.exception()  # nobody may wait for it
            if run.partition in owned:
                self.add(name, run.partition)

    async def has_begun(self, run: str) -> None:
        """Return when the beginning of a run was taken, at once when it was acknowledged. Raises Revoked."""
        if run in self._runs:
            await asyncio.shield(self._runs[run].begun)

    async def has_ended(self, run: str) -> bool:
        """Wait for the end of a run; False when it has not ended within a short time. Raises Revoked."""
        if run not in self._runs:
            return True
        try:
            async with asyncio.timeout(_SHORT):
                await asyncio.shield(self._runs[run].ended)
        except TimeoutError:
            return False
        return True


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
