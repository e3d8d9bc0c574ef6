"""Bodies that behave badly in every way a pool must survive. Each runs in a child."""

import os
import signal
import time

from streams.refusal import Refused


def double(number: int) -> int:
    """Twice the number."""
    return 2 * number


def whoami() -> int:
    """The child's process id."""
    return os.getpid()


def refuse() -> None:
    """Refuses, as a service does for a caller's fault."""
    raise Refused("not an image", hint="send a PNG", where="image")


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
