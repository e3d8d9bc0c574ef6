"""One child of the pool: a process forked from the fork server, and the socket to it.

The event loop reads every child's own socket: a thread for each call would wait for the interpreter lock twice a call.
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
"""Bytes of a reply that are buffered before reading pauses."""
_EXIT_TIMEOUT = 5.0
"""Seconds to wait for the end of a process that has closed its socket or was killed."""
_STOPPING = "the worker is stopping"


@dataclass(eq=False)
class SetupCall:
    """A call that every child runs once, before its next other call."""

    call: Call
    seconds: float
    first: "asyncio.Future[CallResult]"
    """The result in the child that finished it first."""


class WorkerProcess:
    """One slot of the pool: a process and the socket to it; one call at a time."""

    def __init__(self) -> None:
        self._process: BaseProcess | None = None
        self._channel: socket.socket | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._retired = False
        self.setup_calls: dict[str, SetupCall] = {}
        """The setup calls that this process has run, by key."""

    @property
    def pid(self) -> int | None:
        """The process id of the live process; None when there is none."""
        process = self._process
        return process.pid if process is not None and process.is_alive() else None

    async def ensure(self) -> None:
        """Start the process unless one is alive."""
        if self._is_retired() or self._alive():
            return
        self.abandon()
        await self.reap()
        self._process, self._channel = await asyncio.to_thread(_spawned)
        self._reader, self._writer = await asyncio.open_unix_connection(sock=self._channel, limit=_BUFFER)
        if self._is_retired():  # while it started
            self.abandon()

    async def call(self, call: Call, seconds: float, on_progress: ProgressCallback) -> CallResult:
        """Run a call for at most `seconds` and return its result."""
        try:
            request = frame(pickle.dumps(call, protocol=5))
        except Exception as error:  # noqa: BLE001  # pickling raises whatever the arguments raise
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
        """Run calls one after another, each with its own limits; `ended` gets the index and result of each as it ends.

        All calls are sent at once, so that the process need not wait between them. Calls that `ended` is not called for did not
        end, because the process died before.
        """
        requests: list[tuple[int, bytes]] = []
        for index, (call, _, _) in enumerate(calls):
            try:
                requests.append((index, frame(pickle.dumps(call, protocol=5))))
            except Exception as error:  # noqa: BLE001  # pickling raises whatever the arguments raise
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
        """Return whether the process has not closed its socket, so that it can take a call. (Polling the process costs ten times this.)"""
        if self._channel is None:
            return False
        try:
            return bool(self._channel.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def abandon(self) -> None:
        """Kill the process; the next call starts another."""
        if self._writer is not None:
            self._writer.close()
        self._channel = self._reader = self._writer = None
        self.setup_calls = {}
        if self._process is not None:
            self._process.kill()

    def retire(self) -> None:
        """Kill the process for good."""
        self._retired = True
        self.abandon()

    async def reap(self) -> None:
        """Wait for the end of a killed process."""
        process, self._process = self._process, None
        if process is not None:
            await asyncio.to_thread(process.join, _EXIT_TIMEOUT)

    async def _died(self) -> CallResult:
        process = self._process
        if process is None:
            return CallResult.failed(_STOPPING)
        await asyncio.to_thread(process.join, _EXIT_TIMEOUT)
        code = process.exitcode
        self.abandon()
        how = f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"status {code}"
        return CallResult.failed(f"its process ended with {how}", "the input may be more than the service can take")


async def _reply(reader: asyncio.StreamReader, on_progress: ProgressCallback) -> Reply:
    """Read the reply of a call, and pass on the progress that comes before it."""
    while True:
        message = unpack(await read(reader))
        if isinstance(message, Reply):
            return message
        on_progress(message)


def _garbled(error: Garbled) -> CallResult:
    return CallResult.failed(f"its process sent an invalid message: {error}", "the input may have taken it over")


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
