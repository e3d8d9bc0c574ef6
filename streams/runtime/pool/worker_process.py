"""One child of the pool: a process forked from the fork server, and the socket to it.

Every child has a socket of its own, which the event loop reads: a thread for each call would wait for the interpreter's lock
twice a call.
"""

import asyncio
import multiprocessing
import pickle
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess

from streams.runtime.pool.child_main import Call, serve
from streams.runtime.pool.executors import CallResult, ProgressCallback
from streams.runtime.pool.framing import frame, read
from streams.runtime.pool.replies import Garbled, Reply, ReplyKind, unpack

CONTEXT = multiprocessing.get_context("forkserver")
_BUFFER = 16 * 1024 * 1024
"""Bytes of an answer that are read without a pause."""
_LAST_WORDS = 5.0
"""Seconds that a process gets to end when it has closed its end or was killed."""
_STOPPING = "the worker is stopping"


@dataclass(eq=False)
class SetupCall:
    """What every child does once, between two calls."""

    call: Call
    seconds: float
    first: "asyncio.Future[CallResult]"
    """How it ended where it ended first."""


class WorkerProcess:
    """One slot of the pool: a process and the socket to it; one call at a time."""

    def __init__(self) -> None:
        self._process: BaseProcess | None = None
        self._channel: socket.socket | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._retired = False
        self.chores: dict[str, SetupCall] = {}
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

    async def call(self, call: Call, seconds: float, on_progress: ProgressCallback) -> CallResult:
        """How a call of at most so many seconds ended."""
        try:
            request = frame(pickle.dumps(call, protocol=5))
        except Exception as error:  # noqa: BLE001  # what a caller hands in decides what pickling raises
            return _unsendable(error)
        await self.ensure()
        if self._reader is None or self._writer is None:
            return CallResult.failed(_STOPPING)
        try:
            async with asyncio.timeout(seconds):
                self._writer.write(request)
                reply = await _reply(self._reader, on_progress)
        except TimeoutError:
            self.abandon()
            return _late(seconds)
        except Garbled as error:
            self.abandon()
            return _garbled(error)
        except (asyncio.IncompleteReadError, OSError):
            return await self._died()
        if reply.ending is ReplyKind.MEMORY:
            self.abandon()
        return CallResult.of(reply, call.memory)

    async def each(
        self, calls: Sequence[tuple[Call, float, ProgressCallback]], ended: Callable[[int, CallResult], None]
    ) -> None:
        """Does calls in turn, each with its own limits; `ended` is told how each ended, when it has.

        All are sent at once: the process goes from one to the next without waiting for this one. Those that `ended` is not told
        of did not come to their end, since the process did before.
        """
        requests: list[tuple[int, bytes]] = []
        for index, (call, _, _) in enumerate(calls):
            try:
                requests.append((index, frame(pickle.dumps(call, protocol=5))))
            except Exception as error:  # noqa: BLE001  # what a caller hands in decides what pickling raises
                ended(index, _unsendable(error))
        await self.ensure()
        if self._reader is None or self._writer is None:
            for index, _ in requests:
                ended(index, CallResult.failed(_STOPPING))
            return
        self._writer.writelines(request for _, request in requests)
        for index, _ in requests:
            call, seconds, on_progress = calls[index]
            try:
                async with asyncio.timeout(seconds):
                    reply = await _reply(self._reader, on_progress)
            except TimeoutError:
                self.abandon()
                ended(index, _late(seconds))
                return
            except Garbled as error:
                self.abandon()
                ended(index, _garbled(error))
                return
            except (asyncio.IncompleteReadError, OSError):
                await self._died()
                return
            ended(index, CallResult.of(reply, call.memory))
            if reply.ending is ReplyKind.MEMORY:
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

    async def _died(self) -> CallResult:
        process = self._process
        if process is None:
            return CallResult.failed(_STOPPING)
        await asyncio.to_thread(process.join, _LAST_WORDS)
        code = process.exitcode
        self.abandon()
        how = f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"status {code}"
        return CallResult.failed(f"its process ended with {how}", "the input may be more than the service can take")


async def _reply(reader: asyncio.StreamReader, on_progress: ProgressCallback) -> Reply:
    """The end of a call; what it says of its progress comes before that."""
    while True:
        message = unpack(await read(reader))
        if isinstance(message, Reply):
            return message
        on_progress(message)


def _garbled(error: Garbled) -> CallResult:
    return CallResult.failed(
        f"its process said what no process of ours says: {error}", "the input may have taken it over"
    )


def _unsendable(error: Exception) -> CallResult:
    return CallResult.failed(f"its input cannot be handed to a process: {error}")


def _late(seconds: float) -> CallResult:
    return CallResult.failed(
        f"took longer than {seconds:g} s", "make the input smaller, or give the node a longer timeout"
    )


def _spawned() -> tuple[BaseProcess, socket.socket]:
    ours, theirs = socket.socketpair()
    with theirs:
        process = CONTEXT.Process(target=serve, args=(theirs,), name="millrace-child", daemon=True)
        process.start()
    return process, ours
