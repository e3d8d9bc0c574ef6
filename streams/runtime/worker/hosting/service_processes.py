"""The child processes in which the services of a worker run."""

from collections.abc import Sequence

from streams.runtime.pool.async_child import AsyncChild
from streams.runtime.pool.batches import Batches
from streams.runtime.pool.executors import CallResult, Executor
from streams.runtime.pool.pool import Pool
from streams.runtime.worker.hosting.discover import DiscoveredService
from streams.service.child_calls import load, load_waiting

_LOADING = 60.0
"""Seconds that loading a model may take, at least."""


class ServiceProcesses:
    """A pool for services that compute, and one child for services whose functions are `async`; each only where needed."""

    def __init__(self, pool_size: int) -> None:
        """`pool_size`: children of the pool; 0 is one for each processor."""
        self._pool_size = pool_size
        self._pool: Pool | None = None
        self._async_child: AsyncChild | None = None

    async def start(self, services: Sequence[DiscoveredService]) -> None:
        """Start the processes that these services need."""
        computing = [module for service in services if not service.waits for module in service.modules]
        waiting = [service for service in services if service.waits]
        if computing:
            self._pool = Pool(self._pool_size, dict.fromkeys(computing))
            await self._pool.start()
        if waiting:
            memory = max(service.contract.memory for service in waiting)
            self._async_child = AsyncChild({service.module for service in waiting}, memory)
            await self._async_child.start()

    async def stop(self) -> None:
        """Kill the processes; calls in progress end as failures."""
        if self._async_child is not None:
            await self._async_child.stop()
        if self._pool is not None:
            await self._pool.stop()

    def executor(self, service: DiscoveredService) -> Executor:
        """Return where the calls of a service run."""
        if service.waits:
            assert self._async_child is not None
            return self._async_child
        assert self._pool is not None
        return self._pool if service.batch == 1 else Batches(self._pool, service.batch, together=service.many)

    def capacity(self, service: DiscoveredService) -> int:
        """Return how many calls of a service run at once."""
        processes = self._async_child if service.waits else self._pool
        return processes.size if processes is not None else 1

    async def load(self, service: DiscoveredService, folder: str = "") -> CallResult:
        """Load a model of a service where its calls run: the bundle in `folder`, or the shipped one where that is empty."""
        return await self.executor(service).prepare(
            service.name,
            load_waiting if service.waits else load,
            service.module,
            service.name,
            folder,
            seconds=max(_LOADING, service.contract.timeout),
            memory=service.contract.memory,
        )
