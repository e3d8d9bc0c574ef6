"""Define functions that behave badly in every way a pool must survive; each runs in a child process."""

import asyncio
import gc
import os
import pickle
import signal
import socket
import time
from pathlib import Path

from streams.runtime.pool.framing import frame
from streams.service import call_context
from streams.service.errors import InvalidInput, PartUnavailable, RetryLater


def double(number: int) -> int:
    """Twice the number."""
    return 2 * number


def whoami() -> int:
    """The child's process id."""
    return os.getpid()


def refuse() -> None:
    """Refuses, as a service does for a caller's fault."""
    raise InvalidInput("not an image", hint="send a PNG", where="image")


def fail() -> None:
    """Fails."""
    raise ZeroDivisionError("no luck")


def sleep(seconds: float) -> float:
    """Takes its time."""
    time.sleep(seconds)
    return seconds


def die() -> None:
    """As if the kernel had killed it."""
    os.kill(os.getpid(), signal.SIGKILL)


def leave() -> None:
    """Ends the process without a word."""
    os._exit(3)


def hoard(mebibytes: int) -> int:
    """Takes memory."""
    return len(bytearray(mebibytes * 1024 * 1024))


def echo(data: bytes) -> bytes:
    """The same bytes."""
    return data


async def waits(seconds: float) -> int:
    """Takes its time without computing; the process id."""
    await asyncio.sleep(seconds)
    return os.getpid()


async def rendezvous(folder: str, name: str, others: int) -> str:
    """Ends when so many others are there at the same time."""
    open(os.path.join(folder, name), "w").close()  # noqa: ASYNC230, PTH118, PTH123
    while len(os.listdir(folder)) < others:  # noqa: ASYNC110, PTH208  # files of other calls are what is waited for
        await asyncio.sleep(0.01)
    return name


async def blocks(seconds: float) -> None:
    """Does not let go of its loop, and does not hear that it is cancelled."""
    time.sleep(seconds)  # noqa: ASYNC251  # what a badly written service does


async def cleans_up(mark: str) -> None:
    """Waits for ever, and says when it is cancelled."""
    try:
        await asyncio.sleep(600)
    finally:
        open(mark, "w").close()  # noqa: ASYNC230, PTH123


async def puts_off() -> None:
    """Asks to be tried again later."""
    raise RetryLater("not now", hint="wait", after=7.0)


async def refuses() -> None:
    """Refuses, as a service does for a caller's fault."""
    raise InvalidInput("not an address", hint="write one", where="url")


async def fails_waiting() -> None:
    """Fails."""
    raise ZeroDivisionError("no luck")


async def dies() -> None:
    """As if the kernel had killed it."""
    os.kill(os.getpid(), signal.SIGKILL)


async def hoards(mebibytes: int) -> int:
    """Takes memory."""
    return len(bytearray(mebibytes * 1024 * 1024))


async def prints(text: str) -> str:
    """Writes to standard output, which is not its own."""
    print(text, flush=True)  # noqa: T201
    os.write(1, text.encode())
    return text


async def echoes(data: bytes) -> bytes:
    """The same bytes."""
    return data


def lacks() -> None:
    """Needs a part that is away."""
    raise PartUnavailable("postgres", "connection refused")


async def lacks_waiting() -> None:
    """The same, of a body that waits for others."""
    lacks()


def chats(times: int) -> int:
    """Says something that often."""
    for index in range(times):
        call_context.progress(str(index + 1), done=(index + 1) / times, n=index + 1)
    return times


async def chats_waiting(times: int) -> int:
    """The same, letting go of its loop at each."""
    for index in range(times):
        call_context.progress(str(index + 1), done=(index + 1) / times, n=index + 1)
        await asyncio.sleep(0)
    return times


def pauses(mark: str) -> None:
    """Says two things at once, and then nothing until a file is there."""
    call_context.progress("first")
    call_context.progress("second")
    while not os.path.exists(mark):  # noqa: PTH110
        time.sleep(0.01)


async def pauses_waiting(mark: str) -> None:
    """The same."""
    call_context.progress("first")
    call_context.progress("second")
    while not os.path.exists(mark):  # noqa: ASYNC110, ASYNC240, PTH110  # the test makes it
        await asyncio.sleep(0.01)


def says_and_fails() -> None:
    """Says two things, the second too soon after the first to be sent at once, and fails."""
    call_context.progress("one")
    call_context.progress("two")
    raise ZeroDivisionError("no luck")


async def says_and_fails_waiting() -> None:
    """The same."""
    says_and_fails()


def says_nonsense() -> None:
    """Says what no event can carry."""
    call_context.progress("three", figure=object())


async def says_nonsense_waiting() -> None:
    """The same."""
    says_nonsense()


async def speaks_in_a_thread() -> None:
    """Says something in a thread."""
    await asyncio.to_thread(call_context.progress, "from a thread")


_PREPARED: list[str] = []


def prepares(what: str) -> str:
    """Remembers something in its process."""
    if what == "poison":
        raise ValueError("not this")
    _PREPARED.append(what)
    return what


def prepared(seconds: float = 0.0) -> tuple[int, list[str]]:
    """The process id, and what was prepared in it."""
    time.sleep(seconds)
    return os.getpid(), list(_PREPARED)


def touch(path: str) -> None:
    """Leaves a trace."""
    open(path, "w").close()  # noqa: PTH123


def surroundings() -> tuple[dict[str, str], str, str]:
    """This process's environment, that of its fork server as the kernel has it, and its status as the kernel says it."""
    server = Path(f"/proc/{os.getppid()}/environ").read_bytes().decode()
    return dict(os.environ), server, Path("/proc/self/status").read_text()


class Trap:
    """Runs code of its own where it is unpickled."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.mark}",)


def take_over(mark: str) -> None:
    """Does what a child does that was taken over by what it decoded: it says what it likes to its worker."""
    (channel,) = [one for one in gc.get_objects() if isinstance(one, socket.socket) and one.fileno() >= 0]
    channel.sendall(frame(pickle.dumps(Trap(mark), protocol=5)))
    time.sleep(60)


def odd() -> object:
    """What is no data."""
    return Trap("nowhere")
