"""Which services of a worker can serve. A service that cannot takes no tasks, so that another worker can do them.

What a service lacks (a model, a setting, a program) may appear while its worker runs: the service is checked again after growing
delays, and joins its group once it can serve.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from streams.background import ended
from streams.runtime.pool.executors import CallResult
from streams.runtime.retrying import delays
from streams.runtime.worker.hosting.discover import BadModule, DiscoveredService, discover, problem_of
from streams.service.model_status import ModelStatus

log = logging.getLogger(__name__)

_FIRST, _LONGEST = 2.0, 120.0
"""Seconds between two checks of services that cannot serve: each check costs a process that imports them."""

Statuses = Callable[[DiscoveredService], tuple[ModelStatus, ...]]
"""Returns the models of a service as they are now."""
Load = Callable[[DiscoveredService], Awaitable[CallResult]]
"""Loads what a service needs where its calls run."""
Join = Callable[[DiscoveredService], Awaitable[None]]
"""Makes a service take tasks."""


class ServiceReadiness:
    """The services of one worker by name, as they were at their last check."""

    def __init__(
        self, statuses: Statuses, load: Load, join: Join, rediscovered: Callable[[DiscoveredService], None]
    ) -> None:
        """`rediscovered` is called with each service that was checked again."""
        self.services: dict[str, DiscoveredService] = {}
        self._rediscovered = rediscovered
        self._statuses = statuses
        self._load = load
        self._join = join
        self._load_errors: dict[str, str] = {}
        """Why what a service needs could not be loaded."""
        self._unready: set[str] = set()
        """Services that take no tasks."""
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def set_services(self, services: Mapping[str, DiscoveredService]) -> None:
        """Set the services of this worker, by name."""
        self.services = dict(services)

    async def load(self, service: DiscoveredService) -> None:
        """Load what a service needs; where that fails, the service cannot serve."""
        result = await self._load(service)
        self._load_errors.pop(service.name, None)
        if result.failure is not None:
            self._load_errors[service.name] = f"it could not be loaded: {result.failure.reason}"

    def problem(self, name: str) -> str:
        """Return why a service cannot serve here; empty when it can."""
        service = self.services[name]
        return self._load_errors.get(name) or problem_of(service.check, self._statuses(service), slot=service.slot)

    def takes(self, name: str) -> bool:
        """Return whether a service takes tasks."""
        return name not in self._unready

    async def start(self) -> None:
        """Make every service join that can serve, and the others as soon as they can."""
        for name, service in self.services.items():
            if problem := self.problem(name):
                log.warning("%s takes no tasks here: %s", name, problem)
                self._unready.add(name)
            else:
                await self._join(service)
        if self._unready:
            self._task = asyncio.create_task(self._follow(), name="services that cannot serve yet")

    async def stop(self) -> None:
        """Stop checking."""
        await ended(self._task)

    def look(self) -> None:
        """Check again soon, after a model changed: it may be what was missing."""
        self._changed.set()

    async def _follow(self) -> None:
        waits = delays(_FIRST, _LONGEST)
        while self._unready:
            try:
                async with asyncio.timeout(next(waits)):
                    await self._changed.wait()
            except TimeoutError:
                await self._discover_again()
            self._changed.clear()
            for name in sorted(self._unready):
                await self._join_if_ready(name)

    async def _discover_again(self) -> None:
        modules = sorted({self.services[name].module for name in self._unready})
        try:
            discovered = await discover(modules)
        except (BadModule, OSError) as error:
            log.warning("services that cannot serve could not be checked again: %s", error)
            return
        for service in discovered:
            if service.name in self._unready:
                self.services[service.name] = service
                self._rediscovered(service)

    async def _join_if_ready(self, name: str) -> None:
        service = self.services[name]
        if service.loads and not service.slot and not problem_of(service.check, self._statuses(service), slot=False):
            await self.load(service)
        if not self.problem(name):
            log.info("%s can serve now", name)
            self._unready.discard(name)
            await self._join(service)
