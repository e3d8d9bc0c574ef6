"""The process pool for functions of services: each call is limited in time and memory, and a child that dies costs one attempt.

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
    """A fixed number of children, forked from a server that has imported `modules` once. `size` 0 is one for each processor."""

    def __init__(self, size: int = 0, modules: Iterable[str] = ()) -> None:
        self.size = size or os.cpu_count() or 1
        self._modules = list(modules)
        self._children = [WorkerProcess() for _ in range(self.size)]
        # Last in, first out: the child that ran last has the warmest processor caches.
        self._free: asyncio.LifoQueue[WorkerProcess] = asyncio.LifoQueue()
        for child in self._children:
            self._free.put_nowait(child)
        self._setup_calls: dict[str, SetupCall] = {}
        self._setting_up = set[asyncio.Task[None]]()

    async def start(self) -> None:
        """Start the children, so that the first call does not wait for them."""
        for name in _THREADS:  # each child is meant for one core; libraries would start a thread for every core in each
            os.environ.setdefault(name, "1")
        CONTEXT.set_forkserver_preload(["streams.runtime.pool.child_main", *self._modules])
        with bare_environment():
            forkserver.ensure_running()
        await asyncio.gather(*(child.ensure() for child in self._children))

    async def stop(self) -> None:
        """Kill the children; calls in progress end as failures."""
        for child in self._children:
            child.retire()
        await asyncio.gather(*(child.reap() for child in self._children))

    @property
    def pids(self) -> list[int]:
        """The process ids of the live children."""
        return [child.pid for child in self._children if child.pid is not None]

    async def run(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        seconds: float,
        memory: int,
        on_progress: ProgressCallback = ignore_progress,
    ) -> CallResult:
        """Run a module-level function in a child, for at most `seconds` and `memory` MiB.

        The time until a child is free does not count. When the caller is cancelled, the child is killed.
        """
        async with self.borrow() as child:
            return await child.call(Call(function, arguments, memory), seconds, on_progress)

    @asynccontextmanager
    async def borrow(self) -> "AsyncIterator[WorkerProcess]":
        """Wait for a free child and hold it for this block; an exception in the block kills the child."""
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
        """Run a function once in every child: idle ones now, the others after their present call, new ones before their first."""
        before = self._setup_calls.get(key)
        setup = SetupCall(Call(function, arguments, memory), seconds, asyncio.get_running_loop().create_future())
        self._setup_calls[key] = setup
        while not self._free.empty():
            self._release(self._free.get_nowait())
        ended = await asyncio.shield(setup.first)
        if ended.failure is not None and self._setup_calls.get(key) is setup:
            del self._setup_calls[key]
            if before is not None:
                self._setup_calls[key] = before
        return ended

    def _release(self, child: "WorkerProcess") -> None:
        """Let a child take the next call, after the setup calls that it has not run yet."""
        if all(child.setup_calls.get(key) is setup for key, setup in self._setup_calls.items()):
            self._free.put_nowait(child)
            return
        task = asyncio.create_task(self._set_up(child))
        self._setting_up.add(task)
        task.add_done_callback(self._setting_up.discard)

    async def _set_up(self, child: "WorkerProcess") -> None:
        try:
            await child.ensure()
            for key, setup in list(self._setup_calls.items()):
                if child.setup_calls.get(key) is setup:
                    continue
                result = await child.call(setup.call, setup.seconds, ignore_progress)
                child.setup_calls[key] = setup
                if not setup.first.done():
                    setup.first.set_result(result)
        finally:
            self._free.put_nowait(child)
