"""Retry with growing, bounded delays, and keep track of the outages that are being waited out."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

from streams.runtime.errors import Unavailable

log = logging.getLogger(__name__)
T = TypeVar("T")


def delays(first: float = 0.1, longest: float = 5.0) -> Iterator[float]:
    """Yield the seconds to wait before each retry: doubling from `first`, never more than `longest`. Never ends."""
    delay = first
    while True:
        yield delay
        delay = min(delay * 2, longest)


_on_behalf: ContextVar[str] = ContextVar("on_behalf", default="")


@contextmanager
def on_behalf_of(service: str) -> Iterator[None]:
    """Attribute the waits in this block, and in tasks created in it, to a service."""
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
    """The parts of the system that are unavailable now, since when, and which services wait for them.

    Work that waits for an unavailable part does not count as stuck.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, list[_Wait]] = {}

    @contextmanager
    def waiting(self, part: str) -> Iterator[None]:
        """Record that the caller waits for this part."""
        waits = self._waiting.setdefault(part, [])
        wait = _Wait(time.monotonic(), _on_behalf.get())
        waits.append(wait)
        try:
            yield
        finally:
            waits.remove(wait)
            if not waits:
                self._waiting.pop(part, None)

    def now(self) -> dict[str, float]:
        """Return each part that is being waited for, with the seconds that its longest wait has lasted."""
        now = time.monotonic()
        return {
            part: round(now - min(wait.since for wait in waits), 1) for part, waits in self._waiting.items() if waits
        }

    def of(self, service: str) -> tuple[str, ...]:
        """Return the parts that the work of this service waits for now."""
        return tuple(part for part, waits in self._waiting.items() if any(wait.service == service for wait in waits))


async def retry_until_available(
    outages: Outages, part: str, action: Callable[[], Awaitable[T]], *errors: type[BaseException]
) -> T:
    """Repeat `action` until it succeeds, and return its result.

    An outage (`Unavailable`, or `errors` where given) is waited out and logged once.
    """
    expected = errors or (Unavailable,)
    try:
        return await action()
    except expected as error:
        log.warning("%s is unavailable (%s): waiting for it", part, error)
    with outages.waiting(part):
        for delay in delays():
            await asyncio.sleep(delay)
            try:
                result = await action()
            except expected:
                continue
            log.warning("%s is available again", part)
            return result
    raise AssertionError("delays() never ends")
