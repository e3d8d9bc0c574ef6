"""A queue per key: items of one key are done one after another, in the order of asking; different keys do not wait for each other.

Items that come for a key while it is busy are done together afterwards: many small steps then cost one round trip to the
broker, not one each.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

DoItems = Callable[[K, Sequence[T]], Awaitable[Sequence[Exception | None]]]
"""Does items of one key in this order, or at least the first; returns why each item that it did failed, None for success.

When it raises, none is done, and only the call that waits for the first item raises that."""


@dataclass(eq=False, slots=True)
class _Entry(Generic[T]):
    item: T
    done: bool = False
    failure: Exception | None = None


@dataclass(eq=False, slots=True)
class _Queue(Generic[T]):
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    entries: deque[_Entry[T]] = field(default_factory=deque)
    users: int = 0


class KeyedQueue(Generic[K, T]):
    """One queue per key, kept only while it has items. At most `most` items are done together."""

    def __init__(self, do: DoItems[K, T], most: int = 100) -> None:
        self._do = do
        self._most = most
        self._queues: dict[K, _Queue[T]] = {}

    def __len__(self) -> int:
        return len(self._queues)

    async def take(self, key: K, item: T, *, first: bool = False) -> None:
        """Do the item in its turn, together with those behind it; with `first`, before all that wait. Raises its failure."""
        queue = self._queues.setdefault(key, _Queue())
        entry = _Entry(item)
        queue.users += 1
        if first:
            queue.entries.appendleft(entry)
        else:
            queue.entries.append(entry)
        try:
            async with queue.lock:  # asyncio's locks are fair: first come, first served
                while not entry.done:
                    await self._do_next(key, queue)
        finally:
            if not entry.done:
                queue.entries.remove(entry)
            queue.users -= 1
            if not queue.users:
                del self._queues[key]
        if entry.failure is not None:
            raise entry.failure

    async def _do_next(self, key: K, queue: _Queue[T]) -> None:
        group = list(itertools.islice(queue.entries, self._most))
        failures = await self._do(key, [entry.item for entry in group])
        assert failures, "the first item must always be done"
        for entry, failure in zip(group, failures, strict=False):
            queue.entries.remove(entry)
            entry.done, entry.failure = True, failure
