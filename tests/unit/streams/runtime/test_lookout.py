"""The lookout: which records it goes back for, and which it leaves alone."""

import asyncio
from collections.abc import Iterable, Mapping

from streams.records import Place, Record
from streams.runtime.lanes import Lanes
from streams.runtime.lookout import Lookout

PLACE = Place("t", 0)


class Post:
    """A lookout over a log of one partition that has these offsets, and lanes with room for so many records."""

    def __init__(self, log: set[int], end: int, room: int = 9) -> None:
        self.log = log
        self.end = end
        self.asked = 0
        self.gone_back: list[int] = []
        self.done = asyncio.Event()
        self.lanes = Lanes(self._work, starts=self._starts, present=self._present, rewind=self._rewind, room=room)
        self.lookout = Lookout(self.lanes, ends=self._ends, found=self._found, rewind=self._rewind)

    async def open(self) -> None:
        """Begins a generation."""
        await self.lanes.open(1, frozenset([PLACE]))

    async def come(self, offset: int) -> None:
        """A record comes."""
        await self.lanes.put(Record(PLACE, offset, b"k", b"v"), 1, lambda: None)

    async def _work(self, _: Record) -> None:
        await self.done.wait()

    async def _starts(self, places: frozenset[Place]) -> Mapping[Place, int]:
        return dict.fromkeys(places, 0)

    async def _ends(self, places: Iterable[Place]) -> Mapping[Place, int]:
        return dict.fromkeys(places, self.end)

    async def _present(self, _: Place, start: int, stop: int) -> list[int]:
        return sorted(offset for offset in self.log if start <= offset < stop)

    async def _found(self, place: Place, start: int, stop: int) -> bool:
        self.asked += 1
        return bool(await self._present(place, start, stop))

    async def _rewind(self, _: Place, offset: int) -> None:
        self.gone_back.append(offset)


def test_what_does_not_come_between_two_looks_is_gone_back_for() -> None:
    """One look only notes what has not come yet: it may be on its way."""

    async def main() -> None:
        post = Post({0}, 1)
        await post.open()
        await post.lookout.look()
        assert post.gone_back == []
        await post.lookout.look()
        assert post.gone_back == [0]
        await post.come(0)
        await post.lookout.look()
        await post.lookout.look()
        assert post.gone_back == [0]

    asyncio.run(main())


def test_a_partition_that_moves_is_left_alone() -> None:
    """It may be far behind, but its records come."""

    async def main() -> None:
        post = Post(set(range(9)), 9)
        await post.open()
        for offset in range(5):
            await post.lookout.look()
            await post.come(offset)
        assert post.gone_back == []

    asyncio.run(main())


def test_offsets_without_records_are_asked_for_once() -> None:
    """The marker of a transaction ends a log; nothing comes there, and that is remembered until the log grows."""

    async def main() -> None:
        post = Post(set(), 3)
        await post.open()
        for _ in range(5):
            await post.lookout.look()
        assert (post.gone_back, post.asked) == ([], 1)
        post.log, post.end = {3}, 4
        await post.lookout.look()
        assert post.gone_back == [0]

    asyncio.run(main())


def test_who_has_no_room_is_not_behind_by_accident() -> None:
    """While no record could be taken, none is missed."""

    async def main() -> None:
        post = Post({0, 1, 2}, 3, room=1)
        await post.open()
        await post.come(0)
        for _ in range(3):
            await post.lookout.look()
        assert post.gone_back == []
        post.done.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for _ in range(2):
            await post.lookout.look()
        assert post.gone_back == [1]

    asyncio.run(main())
