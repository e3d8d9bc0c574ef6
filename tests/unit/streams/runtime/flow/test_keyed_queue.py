"""Queues: order within a key, what waits is done together, and what goes wrong is one item's alone."""

import asyncio
from collections.abc import Sequence

import pytest

from streams.runtime.flow.keyed_queue import KeyedQueue


class Desk:
    """Does what it is given when the test lets it; items below 0 fail."""

    def __init__(self, most: int = 100) -> None:
        self.groups: list[tuple[str, list[int]]] = []
        self.open = asyncio.Event()
        self.broken = False
        self.queue: KeyedQueue[str, int] = KeyedQueue(self._do, most)

    async def _do(self, key: str, items: Sequence[int]) -> list[Exception | None]:
        self.groups.append((key, list(items)))
        await self.open.wait()
        if self.broken:
            self.broken = False
            raise ConnectionError("nothing was done")
        return [ValueError(item) if item < 0 else None for item in items]

    def take(self, key: str, *items: int) -> list["asyncio.Task[None]"]:
        """Asks for a turn for each."""
        return [asyncio.ensure_future(self.queue.take(key, item)) for item in items]


async def begun() -> None:
    """Lets every task go as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_waiting_tasks_are_done_in_groups_in_order() -> None:
    """The first goes alone; what came meanwhile is done in groups of at most so many; other keys do not wait."""

    async def main() -> None:
        desk = Desk(most=3)
        first = desk.take("a", 1)
        await begun()
        more = desk.take("a", 2, 3, 4, 5) + desk.take("b", 9)
        await begun()
        assert desk.groups == [("a", [1]), ("b", [9])]
        desk.open.set()
        await asyncio.gather(*first, *more)
        assert desk.groups == [("a", [1]), ("b", [9]), ("a", [2, 3, 4]), ("a", [5])]
        assert len(desk.queue) == 0

    asyncio.run(main())


def test_a_failure_is_its_items_alone() -> None:
    """The others of its group are done."""

    async def main() -> None:
        desk = Desk()
        desk.open.set()
        first, bad, last = desk.take("a", 1, -2, 3)
        await asyncio.gather(first, last)
        with pytest.raises(ValueError, match="-2"):
            await bad
        assert len(desk.queue) == 0

    asyncio.run(main())


def test_a_group_that_breaks_off_is_done_again_without_its_first() -> None:
    """Whether it raises or its first item's task is cancelled: the others still come, in their order, and none twice at once."""

    async def main() -> None:
        desk = Desk()
        lead = desk.take("a", 0)
        await begun()
        first, second, third = desk.take("a", 1, 2, 3)
        await begun()
        desk.broken = True
        desk.open.set()  # for who waits now
        desk.open.clear()
        with pytest.raises(ConnectionError):
            await lead[0]
        await begun()
        assert desk.groups[-1] == ("a", [1, 2, 3])
        first.cancel()
        await begun()
        assert desk.groups[-1] == ("a", [2, 3])
        desk.open.set()
        await asyncio.gather(second, third)
        assert first.cancelled()
        assert len(desk.queue) == 0

    asyncio.run(main())


def test_a_task_cancelled_in_the_queue_leaves_it() -> None:
    """A task that is cancelled in the queue leaves it."""

    async def main() -> None:
        desk = Desk()
        first = desk.take("a", 1)
        await begun()
        second, third = desk.take("a", 2, 3)
        await begun()
        second.cancel()
        await begun()
        desk.open.set()
        await asyncio.gather(*first, third)
        assert desk.groups == [("a", [1]), ("a", [3])]
        assert len(desk.queue) == 0

    asyncio.run(main())


def test_an_urgent_task_comes_first_and_a_turn_may_end_early() -> None:
    """A group is done as far as it was done; what is left of it waits for the next turn, behind whatever goes first."""

    async def main() -> None:
        done: list[list[int]] = []
        opened = asyncio.Event()

        async def do(_: str, items: Sequence[int]) -> list[Exception | None]:
            done.append(list(items[:2]))
            await opened.wait()
            return [None] * len(items[:2])

        queue: KeyedQueue[str, int] = KeyedQueue(do)
        waiting = [asyncio.ensure_future(queue.take("a", item)) for item in (1, 2, 3, 4, 5)]
        await begun()
        urgent = asyncio.ensure_future(queue.take("a", 0, first=True))
        await begun()
        opened.set()
        await asyncio.gather(*waiting, urgent)
        assert done == [[1], [0, 2], [3, 4], [5]]
        assert len(queue) == 0

    asyncio.run(main())
