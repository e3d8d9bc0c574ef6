"""Define services for tests, one for each kind of behaviour."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Annotated

import psutil

from streams.service.contract import Doc, Record
from streams.service.declaration import service
from streams.service.errors import InvalidInput, PartUnavailable


class Number(Record):
    n: Annotated[int, Doc("A number.")]


class Seconds(Record):
    seconds: Annotated[float, Doc("How long.")]


class Marked(Record):
    n: Annotated[int, Doc("A number.")]
    mark: Annotated[str, Doc("A file that remembers how often this ran.")]


class Text(Record):
    text: Annotated[str, Doc("A text.")]


@service("add-one", version="1.0.0")
def add_one(request: Number) -> Number:
    """N + 1."""
    return Number(n=request.n + 1)


@service("naps", version="1.0.0", timeout=30)
def naps(request: Seconds) -> Seconds:
    """Takes its time."""
    time.sleep(request.seconds)
    return Seconds(seconds=request.seconds)


@service("poison", version="1.0.0", timeout=1)
def poison(request: Text) -> Text:
    """Kills its process, hoards memory, sleeps too long, refuses or fails, as the text says."""
    match request.text:
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hoard":
            bytearray(4 * 1024**3)
        case "sleep":
            time.sleep(60)
        case "refuse":
            raise InvalidInput("not this", hint="something else", where="text")
        case "fail":
            raise RuntimeError("it broke")
    return request


@service("flaky", version="1.0.0")
def flaky(request: Marked) -> Number:
    """Fails until the n-th time."""
    with open(request.mark, "a+") as file:  # noqa: PTH123
        file.write("x")
        file.seek(0)
        times = len(file.read())
    if times < request.n:
        raise RuntimeError(f"time {times} of {request.n}")
    return Number(n=times)


@service("dice", version="1.0.0", deterministic=False)
def dice(request: Number) -> Number:
    """Another number each time it runs."""
    return Number(n=time.time_ns() + request.n)


@service("thermometer", version="1.0.0", deterministic=False, repeatable=True)
async def thermometer(request: Number) -> Number:
    """Another number each time it runs; running it again does no harm."""
    return Number(n=time.time_ns() + request.n)


def _until_there(path: Path) -> None:
    while not path.exists():
        time.sleep(0.05)


@service("latch", version="1.0.0", timeout=60)
async def latch(request: Marked) -> Number:
    """Waits for the file."""
    await asyncio.to_thread(_until_there, Path(request.mark))
    return Number(n=request.n)


@service("assassin", version="1.0.0", timeout=30)
def assassin(request: Marked) -> Number:
    """Counts its runs in the file; kills its whole worker when its number is 0."""
    with open(request.mark, "a") as file:  # noqa: PTH123
        file.write("x")
    if request.n == 0:
        _, worker, *_ = psutil.Process().parents()  # the fork server, and whose it is
        worker.kill()
        time.sleep(30)
    return Number(n=request.n)


@service("needs-postgres", version="1.0.0")
def needs_postgres(request: Marked) -> Number:
    """Finds PostgreSQL away for as long as there is no such file."""
    if not Path(request.mark).exists():
        raise PartUnavailable("postgres", "nobody is there")
    return Number(n=request.n)


_LEARNED: list[int] = []


def _learn() -> None:
    _LEARNED.append(os.getpid())


@service("learned", version="1.0.0", loads=_learn)
def learned(request: Number) -> Number:
    """How often its process loaded something before."""
    return Number(n=_LEARNED.count(os.getpid()))
