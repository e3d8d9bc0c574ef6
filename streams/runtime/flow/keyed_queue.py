"""Turns: what concerns one key is done one after another, in the order of asking; different keys do not wait for each other.

What came for a key while its turn was taken is done together in the next one: many small steps then cost one way to the
broker and back, not one each.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

Together = Callable[[K, Sequence[T]], Awaitable[Sequence[Exception | None]]]
"""Does these items of one key, in this order, or the first of them; what became of each that it did. What it raises ends its
first item's turn only."""


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
    """One queue a key, kept only while somebody is in it. `most` items are done together."""

    def __init__(self, do: Together[K, T], most: int = 100) -> None:
        self._do = do
        self._most = most
        self._queues: dict[K, _Queue[T]] = {}

    def __len__(self) -> int:
        return len(self._queues)

    async def take(self, key: K, item: T, *, first: bool = False) -> None:
        """Does the item when its turn comes, with those behind it; `first` lets it go before all that wait. Raises what
        became of it.
        """
        queue = self._queues.setdefault(key, _Queue())
        entry = _Entry(item)
        queue.users += 1
        if first:
            queue.entries.appendleft(entry)
        else:
            queue.entries.append(entry)
        try:
            async with queue.lock:  # fair: who asked first has it first
                while not entry.done:
                    await self._together(key, queue)
        finally:
            if not entry.done:
                queue.entries.remove(entry)
            queue.users -= 1
            if not queue.users:
                del self._queues[key]
        if entry.failure is not None:
            raise entry.failure

    async def _together(self, key: K, queue: _Queue[T]) -> None:
        group = list(itertools.islice(queue.entries, self._most))
        became = await self._do(key, [one.item for one in group])
        assert became, "the first of a turn is always done"
        for one, failure in zip(group, became, strict=False):
            queue.entries.remove(one)
            one.done, one.failure = True, failure
