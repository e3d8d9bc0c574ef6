"""The process pool for service bodies: each call limited in time and memory, a child that dies costs one attempt only.

Not pebble: its children share one pipe and its lock, so that a child killed at the wrong moment breaks the whole pool
(see docs/decisions). Here every child has a pipe of its own.
"""

import asyncio
import logging
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import connection
from typing import Any, Protocol

from streams.messages import Failure, Fault
from streams.runtime.child import Call, Ending, Reply, serve

log = logging.getLogger(__name__)

_CONTEXT = multiprocessing.get_context("forkserver")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a call ended: a value, or a failure with the stack (for people who run the system, not for callers)."""

    value: Any = None
    failure: Failure | None = None
    stack: str = ""
    after: float = 0.0
    """Seconds that the next attempt waits at least."""

    @classmethod
    def failed(cls, reason: str, hint: str = "", stack: str = "", after: float = 0.0) -> "Ended":
        """The service's fault."""
        return cls(failure=Failure(reason, Fault.SERVICE, hint=hint), stack=stack, after=after)

    @classmethod
    def of(cls, reply: Reply, memory: int) -> "Ended":
        """How a child says that a call ended, which could take `memory` MiB."""
        match reply.ending:
            case Ending.VALUE:
                return cls(reply.value)
            case Ending.REFUSED:
                return cls(failure=Failure(reply.reason, Fault.CALLER, hint=reply.hint))
            case Ending.MEMORY:
                return cls.failed(f"took more than {memory} MiB", "make the input smaller")
            case Ending.RAISED:
                return cls.failed(reply.reason, reply.hint, reply.stack, reply.after)


class Bodies(Protocol):
    """Where the bodies of services run, limited."""

    async def run(self, function: Callable[..., Any], *arguments: Any, seconds: float, memory: int) -> Ended:
        """Runs a module-level function for at most `seconds` and `memory` MiB, until it ends or the caller is cancelled."""


class Pool:
    """A fixed number of children. `modules` are imported once, before the children are forked from that."""

    def __init__(self, size: int = 0, modules: Iterable[str] = ()) -> None:
        self.size = size or os.cpu_count() or 1
        self._modules = list(modules)
        self._children = [_Child() for _ in range(self.size)]
        self._free: asyncio.Queue[_Child] = asyncio.Queue()
        self._threads = ThreadPoolExecutor(self.size, thread_name_prefix="pool")
        self._starting = threading.Lock()
        for child in self._children:
            self._free.put_nowait(child)

    async def start(self) -> None:
        """Starts the children, so that the first call does not wait for them."""
        for name in _THREADS:  # a child is one core's worth; libraries would start a thread a core in each
            os.environ.setdefault(name, "1")
        _CONTEXT.set_forkserver_preload(["streams.runtime.child", *self._modules])
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(self._threads, child.ensure) for child in self._children))

    async def stop(self) -> None:
        """Kills the children; calls under way end as failures."""
        for child in self._children:
            child.retire()
        await asyncio.to_thread(self._threads.shutdown, wait=True)

    @property
    def pids(self) -> list[int]:
        """The process ids of the children that live."""
        return [child.pid for child in self._children if child.pid is not None]

    async def run(self, function: Callable[..., Any], *arguments: Any, seconds: float, memory: int) -> Ended:
        """Runs a module-level function in a child, for at most `seconds` and `memory` MiB.

        Waiting for a free child does not count. When the caller is cancelled, the child is killed.
        """
        child = await self._free.get()
        try:
            call = Call(function, arguments, memory)
            return await self._guarded(child, call, seconds)
        finally:
            self._free.put_nowait(child)

    async def _guarded(self, child: "_Child", call: Call, seconds: float) -> Ended:
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._threads, child.call, call, seconds)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            child.kill()
            await asyncio.wait([work])
            raise


class _Child:
    """One slot of the pool: a process and the pipe to it. Its methods block, and run in one thread at a time."""

    def __init__(self) -> None:
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: connection.Connection | None = None
        self._retired = False

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process is not None and process.is_alive() else None

    def ensure(self) -> None:
        """Starts the process when there is none that lives."""
        if self._retired or (self._process is not None and self._process.is_alive()):
            return
        self._drop()
        ours, theirs = _CONTEXT.Pipe()
        process = _CONTEXT.Process(target=serve, args=(theirs,), name="millrace-child", daemon=True)
        process.start()
        theirs.close()
        self._process, self._pipe = process, ours

    def call(self, call: Call, timeout: float) -> Ended:
        try:
            request = pickle.dumps(call, protocol=5)
        except Exception as error:  # noqa: BLE001  # what a caller hands in decides what pickling raises
            return Ended.failed(f"its input cannot be handed to a process: {error}")
        self.ensure()
        process, pipe = self._process, self._pipe
        if process is None or pipe is None:
            return Ended.failed("the worker is stopping")
        try:
            pipe.send_bytes(request)
            if not connection.wait([pipe, process.sentinel], timeout):
                self._drop()
                return Ended.failed(
                    f"took longer than {timeout:g} s", "make the input smaller, or give the node a longer timeout"
                )
            reply: Reply = pickle.loads(pipe.recv_bytes())  # noqa: S301  # from our own child process
        except (EOFError, OSError):
            return self._died(process)
        if reply.ending is Ending.MEMORY:
            self._drop()
        return Ended.of(reply, call.memory)

    def kill(self) -> None:
        """Ends the process at once, whatever it does."""
        process = self._process
        if process is not None and process.pid is not None and process.is_alive():
            process.kill()

    def retire(self) -> None:
        """Kills the process and starts no other."""
        self._retired = True
        self.kill()

    def _died(self, process: multiprocessing.process.BaseProcess) -> Ended:
        process.join(5)
        code = process.exitcode
        self._drop()
        how = f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"status {code}"
        return Ended.failed(f"its process ended with {how}", "the input may be more than the service can take")

    def _drop(self) -> None:
        self.kill()
        if self._process is not None:
            self._process.join(5)
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None
