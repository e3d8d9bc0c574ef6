"""Which services of a worker can serve. One that cannot takes no tasks, so that none fails that another worker could do.

What a service lacks (a model, a setting, a program) may come while its worker runs: it is asked again, with growing pauses, and
joins its group once it can serve.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from streams.background import ended
from streams.runtime.pool.executors import CallResult
from streams.runtime.retrying import delays
from streams.runtime.worker.discover import BadModule, DiscoveredService, discover, unable
from streams.service.model_status import ModelStatus

log = logging.getLogger(__name__)

_FIRST, _LONGEST = 2.0, 120.0
"""Seconds between two times that services which cannot serve are asked again: each costs a process that imports them."""

Statuses = Callable[[DiscoveredService], tuple[ModelStatus, ...]]
"""The models of a service as they are now."""
Load = Callable[[DiscoveredService], Awaitable[CallResult]]
"""Loads what a service needs where its calls run."""
Join = Callable[[DiscoveredService], Awaitable[None]]
"""Has a service take tasks."""


class ServiceReadiness:
    """The services of one worker by name, as they were found last."""

    def __init__(self, statuses: Statuses, load: Load, join: Join, again: Callable[[DiscoveredService], None]) -> None:
        """`again` is told of a service that was asked once more."""
        self.found: dict[str, DiscoveredService] = {}
        self._again = again
        self._statuses = statuses
        self._load = load
        self._join = join
        self._broken: dict[str, str] = {}
        """Why what a service needs could not be loaded."""
        self._outside: set[str] = set()
        """Services that take no tasks."""
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def know(self, found: Mapping[str, DiscoveredService]) -> None:
        """These are the services of this worker."""
        self.found = dict(found)

    async def load(self, one: DiscoveredService) -> None:
        """Loads what a service needs; without it, it cannot serve."""
        name = one.contract["name"]
        ended = await self._load(one)
        self._broken.pop(name, None)
        if ended.failure is not None:
            self._broken[name] = f"it could not be loaded: {ended.failure.reason}"

    def problem(self, name: str) -> str:
        """Why a service cannot serve here; empty when it can."""
        one = self.found[name]
        return self._broken.get(name) or unable(one.check, self._statuses(one), slot=one.slot)

    def takes(self, name: str) -> bool:
        """Whether a service takes tasks."""
        return name not in self._outside

    async def start(self) -> None:
        """Has every service join that can serve, and the others as soon as they can."""
        for name, one in self.found.items():
            if problem := self.problem(name):
                log.warning("%s takes no tasks here: %s", name, problem)
                self._outside.add(name)
            else:
                await self._join(one)
        if self._outside:
            self._task = asyncio.create_task(self._follow(), name="services that cannot serve yet")

    async def stop(self) -> None:
        """Asks no more."""
        await ended(self._task)

    def look(self) -> None:
        """A model is another: it may be what was missing."""
        self._news.set()

    async def _follow(self) -> None:
        waits = delays(_FIRST, _LONGEST)
        while self._outside:
            try:
                async with asyncio.timeout(next(waits)):
                    await self._news.wait()
            except TimeoutError:
                await self._ask_again()
            self._news.clear()
            for name in sorted(self._outside):
                await self._admit(name)

    async def _ask_again(self) -> None:
        modules = sorted({self.found[name].module for name in self._outside})
        try:
            fresh = await discover(modules)
        except (BadModule, OSError) as error:
            log.warning("services that cannot serve could not be asked again: %s", error)
            return
        for one in fresh:
            if (name := one.contract["name"]) in self._outside:
                self.found[name] = one
                self._again(one)

    async def _admit(self, name: str) -> None:
        one = self.found[name]
        if one.loads and not one.slot and not unable(one.check, self._statuses(one), slot=False):
            await self.load(one)
        if not self.problem(name):
            log.info("%s can serve now", name)
            self._outside.discard(name)
            await self._join(one)
