"""The process pool for service bodies: each call limited in time and memory, a child that dies costs one attempt only.

Not pebble: its children share one pipe and its lock, so that a child killed at the wrong moment breaks the whole pool
(see docs/decisions).
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from multiprocessing import forkserver
from typing import Any

from streams.runtime.pool.child_main import Call
from streams.runtime.pool.confinement import bare_environment
from streams.runtime.pool.executors import CallResult, ProgressCallback, ignore_progress
from streams.runtime.pool.worker_process import CONTEXT, SetupCall, WorkerProcess

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Pool:
    """A fixed number of children. `modules` are imported once, before the children are forked from that."""

    def __init__(self, size: int = 0, modules: Iterable[str] = ()) -> None:
        self.size = size or os.cpu_count() or 1
        self._modules = list(modules)
        self._children = [WorkerProcess() for _ in range(self.size)]
        # The last to come is the first to go: a processor's caches still know what it did.
        self._free: asyncio.LifoQueue[WorkerProcess] = asyncio.LifoQueue()
        for child in self._children:
            self._free.put_nowait(child)
        self._chores: dict[str, SetupCall] = {}
        self._tending = set[asyncio.Task[None]]()

    async def start(self) -> None:
        """Starts the children, so that the first call does not wait for them."""
        for name in _THREADS:  # a child is one core's worth; libraries would start a thread a core in each
            os.environ.setdefault(name, "1")
        CONTEXT.set_forkserver_preload(["streams.runtime.pool.child_main", *self._modules])
        with bare_environment():
            forkserver.ensure_running()
        await asyncio.gather(*(child.ensure() for child in self._children))

    async def stop(self) -> None:
        """Kills the children; calls under way end as failures."""
        for child in self._children:
            child.retire()
        await asyncio.gather(*(child.reap() for child in self._children))

    @property
    def pids(self) -> list[int]:
        """The process ids of the children that live."""
        return [child.pid for child in self._children if child.pid is not None]

    async def run(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        seconds: float,
        memory: int,
        on_progress: ProgressCallback = ignore_progress,
    ) -> CallResult:
        """Runs a module-level function in a child, for at most `seconds` and `memory` MiB.

        Waiting for a free child does not count. When the caller is cancelled, the child is killed.
        """
        async with self.lent() as child:
            return await child.call(Call(function, arguments, memory), seconds, on_progress)

    @asynccontextmanager
    async def lent(self) -> "AsyncIterator[WorkerProcess]":
        """A child for oneself, when one is free. Whatever is raised meanwhile kills it."""
        child = await self._free.get()
        try:
            yield child
        except BaseException:
            child.abandon()
            raise
        finally:
            self._release(child)

    async def prepare(
        self, key: str, function: Callable[..., Any], *arguments: Any, seconds: float, memory: int
    ) -> CallResult:
        """Children that are idle do it now, the others after the call that they are at, and new ones before their first."""
        before = self._chores.get(key)
        chore = SetupCall(Call(function, arguments, memory), seconds, asyncio.get_running_loop().create_future())
        self._chores[key] = chore
        while not self._free.empty():
            self._release(self._free.get_nowait())
        ended = await asyncio.shield(chore.first)
        if ended.failure is not None and self._chores.get(key) is chore:
            del self._chores[key]
            if before is not None:
                self._chores[key] = before
        return ended

    def _release(self, child: "WorkerProcess") -> None:
        """A child may take the next call, unless there is something that it is to do before."""
        if all(child.chores.get(key) is chore for key, chore in self._chores.items()):
            self._free.put_nowait(child)
            return
        task = asyncio.create_task(self._tend(child))
        self._tending.add(task)
        task.add_done_callback(self._tending.discard)

    async def _tend(self, child: "WorkerProcess") -> None:
        try:
            await child.ensure()
            for key, chore in list(self._chores.items()):
                if child.chores.get(key) is not chore:
                    ended = await child.call(chore.call, chore.seconds, ignore_progress)
                    child.chores[key] = chore
                    if not chore.first.done():
                        chore.first.set_result(ended)
        finally:
            self._free.put_nowait(child)
