"""The main program of a pool child: one call at a time, with a memory limit. Imports nothing of Kafka or S3."""

import ctypes
import os
import pickle
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

from streams.runtime.pool.confinement import drop_privileges
from streams.runtime.pool.framing import frame, receive
from streams.runtime.pool.progress_throttle import ProgressThrottle
from streams.runtime.pool.replies import Reply, ReplyKind, failure_reply, pack
from streams.service import call_context
from streams.service.progress_report import Progress

_PR_SET_PDEATHSIG = 1
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Call:
    """A module-level function, its arguments, and the MiB that it may take beyond what the child has already."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    memory: int


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent ends, however that happens. Does nothing except on Linux."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the call
        os._exit(0)


def _close_fork_server_pipe() -> None:
    """Close this child's end of the pipe by which the fork server sees that its worker is alive.

    Every child inherits one; with it open, the fork server and its children would outlive a worker that was killed.
    """
    alive = getattr(forkserver._forkserver, "_forkserver_alive_fd", None)
    if alive is not None:
        os.close(alive)
        forkserver._forkserver._forkserver_alive_fd = None  # type: ignore[attr-defined]


def serve(channel: socket.socket) -> None:
    """Answer calls until the other end closes."""
    _close_fork_server_pipe()
    die_with_parent(os.getppid())
    drop_privileges()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the worker decides when to stop
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    while True:
        try:
            reply = _answer(receive(channel), lambda progress: _send(channel, progress))
            _send(channel, reply)
        except (EOFError, OSError):
            return
        if reply.ending is ReplyKind.MEMORY:
            return  # a child that ran out of memory once is fragmented: a new one takes its place


def _send(channel: socket.socket, message: Progress | Reply) -> None:
    channel.sendall(frame(pack(message)))


def _answer(request: bytearray, report: Callable[[Progress], None]) -> Reply:
    throttle = ProgressThrottle(report)
    try:
        call: Call = pickle.loads(request)  # noqa: S301  # from our own parent process
        with _limited(call.memory), call_context.heard_by(throttle.report):
            return Reply(ReplyKind.VALUE, call.function(*call.arguments))
    except Exception as error:  # noqa: BLE001  # whatever a service raises is its failure, and is reported
        return failure_reply(error)
    finally:
        throttle.close()  # before the reply, so that no progress follows it


def limit_memory(memory: int) -> tuple[int, int]:
    """Limit this process's address space to its present size plus `memory` MiB; return the limits before. Linux only."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_bytes().split()[0]) if sys.platform == "linux" else 0
    if pages:
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + memory * _MIB, hard))
    return soft, hard


@contextmanager
def _limited(memory: int) -> Iterator[None]:
    soft, hard = limit_memory(memory)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
