"""The process pool for service bodies: each call limited in time and memory, a child that dies costs one attempt only.

Not pebble: its children share one pipe and its lock, so that a child killed at the wrong moment breaks the whole pool
(see docs/decisions). Here every child has a socket of its own, which the event loop reads: a thread for each call would wait
for the interpreter's lock twice a call.
"""

import asyncio
import logging
import multiprocessing
import os
import pickle
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

from streams.messages import Failure, Fault
from streams.progress import Progress
from streams.runtime.child import Call, Ending, Reply, serve
from streams.runtime.framing import framed, read

log = logging.getLogger(__name__)

_CONTEXT = multiprocessing.get_context("forkserver")
_BUFFER = 16 * 1024 * 1024
"""Bytes of an answer that are read without a pause."""
_LAST_WORDS = 5.0
"""Seconds that a process gets to end when it has closed its end or was killed."""
_STOPPING = "the worker is stopping"
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a call ended: a value, or a failure with the stack (for people who run the system, not for callers)."""

    value: Any = None
    failure: Failure | None = None
    stack: str = ""
    after: float = 0.0
    """Seconds that the next attempt waits at least."""
    away: str = ""
    """The part of the installation that the body needs and that is away; empty when that is not why it failed."""

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
            case Ending.AWAY:
                failure = Failure(f"{reply.away} is away: {reply.reason}", Fault.SERVICE)
                return cls(failure=failure, away=reply.away)
            case Ending.RAISED:
                return cls.failed(reply.reason, reply.hint, reply.stack, reply.after)


Heard = Callable[[Progress], None]
"""Is given what a call says of its progress, while it works; it must not raise."""


def unheard(_: Progress) -> None:
    """For who does not want to know."""


class Bodies(Protocol):
    """Where the bodies of services run, limited."""

    async def run(
        self, function: Callable[..., Any], *arguments: Any, seconds: float, memory: int, heard: Heard = unheard
    ) -> Ended:
        """Runs a module-level function for at most `seconds` and `memory` MiB, until it ends or the caller is cancelled."""

    async def prepare(
        self, key: str, function: Callable[..., Any], *arguments: Any, seconds: float, memory: int
    ) -> Ended:
        """Has a module-level function run once in every process, so that later calls find what it leaves there.

        What it came to where it ended first; where it failed, nothing of it is kept. A later one with the same `key` takes its place.
        """


@dataclass(eq=False)
class _Chore:
    """What every child does once, between two calls."""

    call: Call
    seconds: float
    first: "asyncio.Future[Ended]"
    """How it ended where it ended first."""


class Pool:
    """A fixed number of children. `modules` are imported once, before the children are forked from that."""

    def __init__(self, size: int = 0, modules: Iterable[str] = ()) -> None:
        self.size = size or os.cpu_count() or 1
        self._modules = list(modules)
        self._children = [Child() for _ in range(self.size)]
        self._free: asyncio.Queue[Child] = asyncio.Queue()
        for child in self._children:
            self._free.put_nowait(child)
        self._chores: dict[str, _Chore] = {}
        self._tending = set[asyncio.Task[None]]()

    async def start(self) -> None:
        """Starts the children, so that the first call does not wait for them."""
        for name in _THREADS:  # a child is one core's worth; libraries would start a thread a core in each
            os.environ.setdefault(name, "1")
        _CONTEXT.set_forkserver_preload(["streams.runtime.child", *self._modules])
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
        self, function: Callable[..., Any], *arguments: Any, seconds: float, memory: int, heard: Heard = unheard
    ) -> Ended:
        """Runs a module-level function in a child, for at most `seconds` and `memory` MiB.

        Waiting for a free child does not count. When the caller is cancelled, the child is killed.
        """
        async with self.lent() as child:
            return await child.call(Call(function, arguments, memory), seconds, heard)

    @asynccontextmanager
    async def lent(self) -> "AsyncIterator[Child]":
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
    ) -> Ended:
        """Children that are idle do it now, the others after the call that they are at, and new ones before their first."""
        before = self._chores.get(key)
        chore = _Chore(Call(function, arguments, memory), seconds, asyncio.get_running_loop().create_future())
        self._chores[key] = chore
        while not self._free.empty():
            self._release(self._free.get_nowait())
        ended = await asyncio.shield(chore.first)
        if ended.failure is not None and self._chores.get(key) is chore:
            del self._chores[key]
            if before is not None:
                self._chores[key] = before
        return ended

    def _release(self, child: "Child") -> None:
        """A child may take the next call, unless there is something that it is to do before."""
        if all(child.chores.get(key) is chore for key, chore in self._chores.items()):
            self._free.put_nowait(child)
            return
        task = asyncio.create_task(self._tend(child))
        self._tending.add(task)
        task.add_done_callback(self._tending.discard)

    async def _tend(self, child: "Child") -> None:
        try:
            await child.ensure()
            for key, chore in list(self._chores.items()):
                if child.chores.get(key) is not chore:
                    ended = await child.call(chore.call, chore.seconds, unheard)
                    child.chores[key] = chore
                    if not chore.first.done():
                        chore.first.set_result(ended)
        finally:
            self._free.put_nowait(child)


class Child:
    """One slot of the pool: a process and the socket to it; one call at a time."""

    def __init__(self) -> None:
        self._process: BaseProcess | None = None
        self._channel: socket.socket | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._retired = False
        self.chores: dict[str, _Chore] = {}
        """Those that this process has done."""

    @property
    def pid(self) -> int | None:
        """Of the process that lives."""
        process = self._process
        return process.pid if process is not None and process.is_alive() else None

    async def ensure(self) -> None:
        """Starts the process when there is none that lives."""
        if self._is_retired() or self._alive():
            return
        self.abandon()
        await self.reap()
        self._process, self._channel = await asyncio.to_thread(_spawned)
        self._reader, self._writer = await asyncio.open_unix_connection(sock=self._channel, limit=_BUFFER)
        if self._is_retired():  # meanwhile
            self.abandon()

    async def call(self, call: Call, seconds: float, heard: Heard) -> Ended:
        """How a call of at most so many seconds ended."""
        try:
            request = framed(pickle.dumps(call, protocol=5))
        except Exception as error:  # noqa: BLE001  # what a caller hands in decides what pickling raises
            return _unsendable(error)
        await self.ensure()
        if self._reader is None or self._writer is None:
            return Ended.failed(_STOPPING)
        try:
            async with asyncio.timeout(seconds):
                self._writer.write(request)
                reply = await _reply(self._reader, heard)
        except TimeoutError:
            self.abandon()
            return _late(seconds)
        except (asyncio.IncompleteReadError, OSError):
            return await self._died()
        if reply.ending is Ending.MEMORY:
            self.abandon()
        return Ended.of(reply, call.memory)

    async def each(self, calls: Sequence[tuple[Call, float, Heard]], ended: Callable[[int, Ended], None]) -> None:
        """Does calls in turn, each with its own limits; `ended` is told how each ended, when it has.

        All are sent at once: the process goes from one to the next without waiting for this one. Those that `ended` is not told
        of did not come to their end, since the process did before.
        """
        requests: list[tuple[int, bytes]] = []
        for index, (call, _, _) in enumerate(calls):
            try:
                requests.append((index, framed(pickle.dumps(call, protocol=5))))
            except Exception as error:  # noqa: BLE001  # what a caller hands in decides what pickling raises
                ended(index, _unsendable(error))
        await self.ensure()
        if self._reader is None or self._writer is None:
            for index, _ in requests:
                ended(index, Ended.failed(_STOPPING))
            return
        self._writer.writelines(request for _, request in requests)
        for index, _ in requests:
            call, seconds, heard = calls[index]
            try:
                async with asyncio.timeout(seconds):
                    reply = await _reply(self._reader, heard)
            except TimeoutError:
                self.abandon()
                ended(index, _late(seconds))
                return
            except (asyncio.IncompleteReadError, OSError):
                await self._died()
                return
            ended(index, Ended.of(reply, call.memory))
            if reply.ending is Ending.MEMORY:
                self.abandon()
                return

    def _is_retired(self) -> bool:
        return self._retired

    def _alive(self) -> bool:
        """Whether the process can take a call: it has not closed its end. (Asking the process itself costs ten times this.)"""
        if self._channel is None:
            return False
        try:
            return bool(self._channel.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def abandon(self) -> None:
        """Kills the process, whatever it does; the next call gets another."""
        if self._writer is not None:
            self._writer.close()
        self._channel = self._reader = self._writer = None
        self.chores = {}
        if self._process is not None:
            self._process.kill()

    def retire(self) -> None:
        """Kills the process and starts no other."""
        self._retired = True
        self.abandon()

    async def reap(self) -> None:
        """Waits for the end of a process that was killed."""
        process, self._process = self._process, None
        if process is not None:
            await asyncio.to_thread(process.join, _LAST_WORDS)

    async def _died(self) -> Ended:
        process = self._process
        if process is None:
            return Ended.failed(_STOPPING)
        await asyncio.to_thread(process.join, _LAST_WORDS)
        code = process.exitcode
        self.abandon()
        how = f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"status {code}"
        return Ended.failed(f"its process ended with {how}", "the input may be more than the service can take")


async def _reply(reader: asyncio.StreamReader, heard: Heard) -> Reply:
    """The end of a call; what it says of its progress comes before that."""
    while True:
        message = pickle.loads(await read(reader))  # noqa: S301  # from our own child process
        if isinstance(message, Reply):
            return message
        heard(message)


def _unsendable(error: Exception) -> Ended:
    return Ended.failed(f"its input cannot be handed to a process: {error}")


def _late(seconds: float) -> Ended:
    return Ended.failed(f"took longer than {seconds:g} s", "make the input smaller, or give the node a longer timeout")


def _spawned() -> tuple[BaseProcess, socket.socket]:
    ours, theirs = socket.socketpair()
    with theirs:
        process = _CONTEXT.Process(target=serve, args=(theirs,), name="millrace-child", daemon=True)
        process.start()
    return process, ours
