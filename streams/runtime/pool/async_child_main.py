"""The main program of the async child: many calls at once on one event loop. Imports nothing of Kafka or S3.

python -m streams.runtime.pool.async_child_main PARENT MEBIBYTES MODULE…   (exchanges frames on its standard input and output)
"""

import asyncio
import contextlib
import importlib
import os
import pickle
import signal
import sys
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from streams.runtime.pool.child_main import Call, die_with_parent, limit_memory
from streams.runtime.pool.framing import frame, read
from streams.runtime.pool.progress_throttle import ProgressThrottle
from streams.runtime.pool.replies import Reply, ReplyKind, failure_reply
from streams.service import call_context
from streams.service.progress_report import Progress

_STACK = 512 * 1024
_THREADS = 16


@dataclass(frozen=True, slots=True)
class BeginCall:
    """Request to call a module-level coroutine function."""

    number: int
    call: Call


@dataclass(frozen=True, slots=True)
class CancelCall:
    """Request to cancel a call."""

    number: int


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The end of a call; `reply` is None when it was cancelled."""

    number: int
    reply: Reply | None


@dataclass(frozen=True, slots=True)
class CallProgress:
    """Progress of a call."""

    number: int
    progress: Progress


def packed(message: BeginCall | CancelCall | CallProgress | CallEnded) -> bytes:
    """Encode a message as a frame. Raises whatever pickling raises."""
    return frame(pickle.dumps(message, protocol=5))


async def unpacked(reader: asyncio.StreamReader) -> Any:
    """Read the next message. Raises IncompleteReadError at the end of the stream."""
    return pickle.loads(await read(reader))  # noqa: S301  # between a worker and its own child


class _CallRunner:
    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._calls: dict[int, asyncio.Task[Reply]] = {}

    def take(self, message: BeginCall | CancelCall) -> None:
        if isinstance(message, BeginCall):
            call = self._calls[message.number] = asyncio.create_task(self._answer(message))
            call.add_done_callback(lambda done: self._report_end(message.number, done))
        elif message.number in self._calls:
            self._calls[message.number].cancel()

    async def _answer(self, begin: BeginCall) -> Reply:
        throttle = ProgressThrottle(lambda progress: self._send(CallProgress(begin.number, progress)))
        try:
            with call_context.heard_by(throttle.report):
                return await _reply(begin.call)
        finally:
            throttle.close()  # before the end, so that no progress follows it

    def _report_end(self, number: int, call: "asyncio.Task[Reply]") -> None:
        """Report the end of a call, also of one that was cancelled before it began."""
        del self._calls[number]
        self._send(CallEnded(number, None if call.cancelled() else call.result()))

    def _send(self, message: CallProgress | CallEnded) -> None:
        # Progress may come from a thread. All messages go this way, so that they stay in order.
        self._loop.call_soon_threadsafe(self._writer.write, packed(message))


async def _reply(call: Call) -> Reply:
    try:
        work: Coroutine[Any, Any, Any] = call.function(*call.arguments)
        return Reply(ReplyKind.VALUE, await work)
    except Exception as error:  # noqa: BLE001  # whatever a service raises is its failure, and is reported
        return failure_reply(error)


async def _serve(output: int) -> None:
    loop = asyncio.get_running_loop()
    # Host names are resolved in threads; a slow one must not hold up the others.
    loop.set_default_executor(ThreadPoolExecutor(_THREADS, thread_name_prefix="lookup"))
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(output, "wb"))
    runner = _CallRunner(asyncio.StreamWriter(transport, protocol, reader, loop))
    with contextlib.suppress(asyncio.IncompleteReadError):
        while True:
            runner.take(await unpacked(reader))


def main(arguments: Sequence[str]) -> int:
    """Serve until the parent closes the pipe or ends."""
    parent, memory, *modules = arguments
    die_with_parent(int(parent))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the worker decides when to stop
    output = os.dup(1)
    os.dup2(2, 1)  # the output of a library must not get between the frames
    for module in modules:
        importlib.import_module(module)
    threading.stack_size(_STACK)
    limit_memory(int(memory))
    asyncio.run(_serve(output))
    return 0


if __name__ == "__main__":
    # As this module and not as `__main__`, so that the pickled classes are the same on both sides.
    status = importlib.import_module("streams.runtime.pool.async_child_main").main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(status)  # without waiting for threads that still resolve a name
