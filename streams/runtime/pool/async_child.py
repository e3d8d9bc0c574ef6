"""Runs services with `async` functions: one child process beside the pool, with many calls in it at once.

A waiting call costs a few kilobytes there, and takes no child of the pool from services that compute. Data from outside is
parsed in the child: it can crash the child, never the worker. See docs/decisions/0011-waiting-and-calling-out.md.
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
"""Seconds that a cancelled call may take to end; after that its process counts as hanging, and is killed."""


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
        self._child: _ChildProcess | None = None
        self._stopped = False

    async def start(self) -> None:
        """Start the child, so that the first call does not wait for it."""
        await self._live_child()

    async def stop(self) -> None:
        """Kill the child; calls in progress end as failures."""
        self._stopped = True
        if self._child is not None:
            await self._child.end()

    @property
    def pid(self) -> int | None:
        """The process id of the live child; None when there is none."""
        return self._child.pid if self._child is not None and self._child.alive else None

    async def run(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        seconds: float,
        memory: int,
        on_progress: ProgressCallback = ignore_progress,
    ) -> CallResult:
        """Run a module-level coroutine function in the child, for at most `seconds`.

        The time until a slot is free does not count. `memory` is not limited for each call: the child has one limit for all.
        When the caller is cancelled, so is the call.
        """
        async with self._room:
            if self._stopped:
                return CallResult.failed("the worker is stopping")
            try:
                request = packed(begin := BeginCall(next(self._numbers), Call(function, arguments, memory)))
            except Exception as error:  # noqa: BLE001  # pickling raises whatever the arguments raise
                return CallResult.failed(f"its input cannot be handed to a process: {error}")
            child = await self._live_child()
            ending = child.begin(begin.number, request, on_progress)
            try:
                async with asyncio.timeout(seconds):
                    end = await ending
            except TimeoutError:
                child.give_up(begin.number)
                hint = "give the node a longer timeout, or ask for less"
                return CallResult.failed(f"took longer than {seconds:g} s", hint)
            except asyncio.CancelledError:
                child.give_up(begin.number)
                raise
            if isinstance(end, str):
                return CallResult.failed(end)
            assert end.reply is not None
            return CallResult.of(end.reply, self._memory)

    async def prepare(
        self, _: str, function: Callable[..., Any], *arguments: Any, seconds: float, memory: int
    ) -> CallResult:
        """Run the function in the child; a replacement child does what is needed at its first call."""
        return await self.run(function, *arguments, seconds=seconds, memory=memory)

    async def _live_child(self) -> "_ChildProcess":
        async with self._starting:
            if self._child is None or not self._child.alive:
                if self._child is not None:
                    await self._child.end()
                self._child = await _ChildProcess.start(self._modules, self._memory)
            return self._child


class _ChildProcess:
    """One process, and the calls in it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._input = process.stdin
        self._calls: dict[int, asyncio.Future[CallEnded | str]] = {}
        self._callbacks: dict[int, ProgressCallback] = {}
        self._cancelled: dict[int, asyncio.TimerHandle] = {}
        self._has_ended = False
        self._reading = asyncio.create_task(self._read(process.stdout), name="replies of the async child")

    @classmethod
    async def start(cls, modules: list[str], memory: int) -> "_ChildProcess":
        """Start a process."""
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
                    # The limit is on address space, of which each arena of the allocator would take 64 MiB.
                    "MALLOC_ARENA_MAX": "2",
                },
            )
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return not self._has_ended

    def begin(self, number: int, request: bytes, on_progress: ProgressCallback) -> "asyncio.Future[CallEnded | str]":
        """Send a call; return a future of its end, or of the reason why it has none."""
        ending: asyncio.Future[CallEnded | str] = asyncio.get_running_loop().create_future()
        self._calls[number], self._callbacks[number] = ending, on_progress
        if self._has_ended:
            self._fail(number, "its process ended")
        else:
            self._input.write(request)
        return ending

    def give_up(self, number: int) -> None:
        """Cancel a call that nobody waits for any longer; kill the process if the call does not end."""
        self._callbacks.pop(number, None)
        if self._calls.pop(number, None) is not None and not self._has_ended:
            self._input.write(packed(CancelCall(number)))
            self._cancelled[number] = asyncio.get_running_loop().call_later(_PATIENCE, self._hangs)

    async def end(self) -> None:
        """Kill the process and wait for its end."""
        self._kill()
        await self._reading

    async def _ended(self) -> int:
        # Not killed at once: polling a process that has just ended would take its status from the task that waits for it.
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._process.wait()
        except TimeoutError:
            self._kill()
            return await self._process.wait()

    def _hangs(self) -> None:
        log.warning("the async child hangs in a cancelled call: killing it")
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
                message: CallProgress | CallEnded = await unpacked(output)
                if isinstance(message, CallProgress):
                    self._callbacks.get(message.number, ignore_progress)(message.progress)
                    continue
                self._callbacks.pop(message.number, None)
                timer = self._cancelled.pop(message.number, None)
                if timer is not None:
                    timer.cancel()
                ending = self._calls.pop(message.number, None)
                if ending is not None and not ending.done():
                    ending.set_result(message)
        except asyncio.IncompleteReadError:
            pass  # the process has ended
        finally:
            self._has_ended = True
            code = await self._ended()
            for timer in self._cancelled.values():
                timer.cancel()
            for number in list(self._calls):
                self._fail(number, f"its process ended with status {code}")
