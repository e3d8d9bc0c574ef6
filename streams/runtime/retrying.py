"""Waiting between tries: growing, bounded, and known to whoever watches for progress."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

from streams.runtime.errors import Away

log = logging.getLogger(__name__)
T = TypeVar("T")


def delays(first: float = 0.1, longest: float = 5.0) -> Iterator[float]:
    """Seconds to wait before each next try: doubling from `first`, never more than `longest`."""
    delay = first
    while True:
        yield delay
        delay = min(delay * 2, longest)


_on_behalf: ContextVar[str] = ContextVar("on_behalf", default="")


@contextmanager
def on_behalf_of(service: str) -> Iterator[None]:
    """Whoever waits for a part in here, or in a task that is made in here, does so for this service."""
    before = _on_behalf.set(service)
    try:
        yield
    finally:
        _on_behalf.reset(before)


@dataclass(frozen=True, eq=False)
class _Wait:
    since: float
    service: str


class Outages:
    """Which parts are away at the moment, since when, and for whom; work that waits for one is not stuck."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[_Wait]] = {}

    @contextmanager
    def waiting(self, part: str) -> Iterator[None]:
        """Notes that someone waits for this part."""
        waits = self._waiting.setdefault(part, [])
        one = _Wait(time.monotonic(), _on_behalf.get())
        waits.append(one)
        try:
            yield
        finally:
            waits.remove(one)
            if not waits:
                self._waiting.pop(part, None)

    def now(self) -> dict[str, float]:
        """Each part that is waited for, with the seconds that this has lasted."""
        now = time.monotonic()
        return {part: round(now - min(one.since for one in waits), 1) for part, waits in self._waiting.items() if waits}

    def of(self, service: str) -> tuple[str, ...]:
        """The parts that the work of this service waits for, and of them those alone."""
        return tuple(part for part, waits in self._waiting.items() if any(one.service == service for one in waits))


async def outlast(outages: Outages, part: str, action: Callable[[], Awaitable[T]], *errors: type[BaseException]) -> T:
    """Does `action` until it succeeds; an outage (`Away` or one of `errors`) is waited out and logged once."""
    expected = errors or (Away,)
    try:
        return await action()
    except expected as error:
        log.warning("%s is away (%s): waiting for it", part, error)
    with outages.waiting(part):
        for delay in delays():
            await asyncio.sleep(delay)
            try:
                result = await action()
            except expected:
                continue
            log.warning("%s is back", part)
            return result
    raise AssertionError("delays() never ends")
