"""Where services that wait for others run: one child process beside the pool, many calls in it at once.

A call waits there at the price of a few kilobytes, and takes no child of the pool from those that compute. What comes from
outside is read and judged in the child: it can end the child, never the worker. See docs/decisions/0011-waiting-and-calling-out.md.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

from streams.runtime.pool.async_child_main import BeginCall, CallEnded, CallProgress, CancelCall, packed, unpacked
from streams.runtime.pool.child_main import Call
from streams.runtime.pool.executors import CallResult, ProgressCallback, ignore_progress

log = logging.getLogger(__name__)

_PATIENCE = 2.0
"""Seconds that a cancelled call may take to end; then its process is taken to hang, and is killed."""


class AsyncChild:
    """A child process for calls of coroutine functions, `size` at once, `memory` MiB for all of them together.

    A child that ends costs each call in it one attempt; the next call starts another.
    """

    def __init__(self, modules: Iterable[str], memory: int, size: int = 64) -> None:
        self.size = size
        self._modules = sorted(modules)
        self._memory = memory
        self._numbers = itertools.count()
        self._room = asyncio.Semaphore(size)
        self._starting = asyncio.Lock()
        self._child: _Child | None = None
        self._stopped = False

    async def start(self) -> None:
        """Starts the child, so that the first call does not wait for it."""
        await self._alive()

    async def stop(self) -> None:
        """Kills the child; calls under way end as failures."""
        self._stopped = True
        if self._child is not None:
            await self._child.end()

    @property
    def pid(self) -> int | None:
        """The process id of the child that lives."""
        return self._child.pid if self._child is not None and self._child.alive else None

    async def run(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        seconds: float,
        memory: int,
        on_progress: ProgressCallback = ignore_progress,
    ) -> CallResult:
        """Runs a module-level coroutine function in the child, for at most `seconds`.

        AsyncChild for a free place does not count. `memory` is not counted for each call: the child has a limit for all.
        When the caller is cancelled, so is the call.
        """
        async with self._room:
            if self._stopped:
                return CallResult.failed("the worker is stopping")
            try:
                request = packed(begin := BeginCall(next(self._numbers), Call(function, arguments, memory)))
            except Exception as error:  # noqa: BLE001  # what a caller hands in decides what pickling raises
                return CallResult.failed(f"its input cannot be handed to a process: {error}")
            child = await self._alive()
            ending = child.begin(begin.number, request, on_progress)
            try:
                async with asyncio.timeout(seconds):
                    over = await ending
            except TimeoutError:
                child.give_up(begin.number)
                hint = "give the node a longer timeout, or ask for less"
                return CallResult.failed(f"took longer than {seconds:g} s", hint)
            except asyncio.CancelledError:
                child.give_up(begin.number)
                raise
            if isinstance(over, str):
                return CallResult.failed(over)
            assert over.reply is not None
            return CallResult.of(over.reply, self._memory)

    async def prepare(
        self, _: str, function: Callable[..., Any], *arguments: Any, seconds: float, memory: int
    ) -> CallResult:
        """Runs it in the child; one that takes the child's place does what is needed at its first call."""
        return await self.run(function, *arguments, seconds=seconds, memory=memory)

    async def _alive(self) -> "_Child":
        async with self._starting:
            if self._child is None or not self._child.alive:
                if self._child is not None:
                    await self._child.end()
                self._child = await _Child.started(self._modules, self._memory)
            return self._child


class _Child:
    """One process, and the calls that are in it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._input = process.stdin
        self._calls: dict[int, asyncio.Future[CallEnded | str]] = {}
        self._callbacks: dict[int, ProgressCallback] = {}
        self._leaving: dict[int, asyncio.TimerHandle] = {}
        self._gone = False
        self._reading = asyncio.create_task(self._read(process.stdout), name="answers of the waiting child")

    @classmethod
    async def started(cls, modules: list[str], memory: int) -> "_Child":
        """A new process."""
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "streams.runtime.pool.async_child_main",
                str(os.getpid()),
                str(memory),
                *modules,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
                    # The limit counts addresses, and each arena of the allocator would take 64 MiB of them.
                    "MALLOC_ARENA_MAX": "2",
                },
            )
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return not self._gone

    def begin(self, number: int, request: bytes, on_progress: ProgressCallback) -> "asyncio.Future[CallEnded | str]":
        """Sends a call; what comes is its end, or why there will be none."""
        ending: asyncio.Future[CallEnded | str] = asyncio.get_running_loop().create_future()
        self._calls[number], self._callbacks[number] = ending, on_progress
        if self._gone:
            self._fail(number, "its process ended")
        else:
            self._input.write(request)
        return ending

    def give_up(self, number: int) -> None:
        """Ends a call that nobody waits for any more, if need be with its process."""
        self._callbacks.pop(number, None)
        if self._calls.pop(number, None) is not None and not self._gone:
            self._input.write(packed(CancelCall(number)))
            self._leaving[number] = asyncio.get_running_loop().call_later(_PATIENCE, self._hangs)

    async def end(self) -> None:
        """Kills the process and waits for its end."""
        self._kill()
        await self._reading

    async def _ended(self) -> int:
        # Not killed at once: asking a process that has just ended takes its status away from whoever waits for it.
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._process.wait()
        except TimeoutError:
            self._kill()
            return await self._process.wait()

    def _hangs(self) -> None:
        log.warning("the waiting child hangs in a call that was cancelled: it is killed")
        self._kill()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def _fail(self, number: int, reason: str) -> None:
        ending = self._calls.pop(number)
        self._callbacks.pop(number, None)
        if not ending.done():
            ending.set_result(reason)

    async def _read(self, output: asyncio.StreamReader) -> None:
        try:
            while True:
                over: CallProgress | CallEnded = await unpacked(output)
                if isinstance(over, CallProgress):
                    self._callbacks.get(over.number, ignore_progress)(over.progress)
                    continue
                self._callbacks.pop(over.number, None)
                timer = self._leaving.pop(over.number, None)
                if timer is not None:
                    timer.cancel()
                ending = self._calls.pop(over.number, None)
                if ending is not None and not ending.done():
                    ending.set_result(over)
        except asyncio.IncompleteReadError:
            pass  # it has ended
        finally:
            self._gone = True
            code = await self._ended()
            for timer in self._leaving.values():
                timer.cancel()
            for number in list(self._calls):
                self._fail(number, f"its process ended with status {code}")
