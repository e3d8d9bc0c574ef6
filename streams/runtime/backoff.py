"""Waiting between tries: growing, bounded, and known to whoever watches for progress."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
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


class Outages:
    """Which parts are away at the moment, and since when; work that waits for one is not stuck."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[float]] = {}

    @contextmanager
    def waiting(self, part: str) -> Iterator[None]:
        """Notes that someone waits for this part."""
        since = self._waiting.setdefault(part, [])
        moment = time.monotonic()
        since.append(moment)
        try:
            yield
        finally:
            since.remove(moment)
            if not since:
                self._waiting.pop(part, None)

    def now(self) -> dict[str, float]:
        """Each part that is waited for, with the seconds that this has lasted."""
        return {part: round(time.monotonic() - min(since), 1) for part, since in self._waiting.items() if since}


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
