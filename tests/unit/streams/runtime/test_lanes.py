"""Lanes: acknowledgement in order, gaps, membership changes."""

import asyncio
import functools
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import pytest

from streams.records import Place, Record
from streams.runtime.lanes import Lanes, LostRecords
from tests.integration.waiting import until

PLACE = Place("t", 0)


def record(offset: int, partition: int = 0) -> Record:
    """A record with nothing in it."""
    return Record(Place("t", partition), offset, b"k", b"v")


class Bench:
    """Lanes over a log that is a set of offsets, with work that ends when the test says so."""

    def __init__(self, log: set[int] | None = None, start: int = 0, **limits: int) -> None:
        self.log = log or set()
        self.start = start
        self.begun: list[int] = []
        self.acked: list[int] = []
        self.rewound: list[int] = []
        self.ends: dict[int, asyncio.Future[None]] = {}
        self.lanes = Lanes(
            self._work, starts=self._starts, present=self._present, rewind=self._rewind, **(limits or {"room": 10})
        )

    async def _starts(self, places: frozenset[Place]) -> Mapping[Place, int]:
        return dict.fromkeys(places, self.start)

    async def _present(self, _: Place, start: int, stop: int) -> list[int]:
        return sorted(offset for offset in self.log if start <= offset < stop)

    async def _rewind(self, _: Place, offset: int) -> None:
        self.rewound.append(offset)

    async def _work(self, one: Record) -> None:
        self.begun.append(one.offset)
        self.ends[one.offset] = asyncio.get_running_loop().create_future()
        await self.ends[one.offset]

    async def open(self, generation: int = 1) -> None:
        """Begins a generation."""
        await self.lanes.open(generation, frozenset([PLACE]))

    async def put(self, *offsets: int, generation: int = 1) -> None:
        """Delivers records."""
        for offset in offsets:
            await self.lanes.put(record(offset), generation, functools.partial(self.acked.append, offset))
        await settle()

    async def end(self, *offsets: int) -> None:
        """Ends the work of records."""
        for offset in offsets:
            self.ends[offset].set_result(None)
        await settle()


async def settle() -> None:
    """Lets everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def on_loop(work: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Makes a test of a coroutine function."""

    def run() -> None:
        asyncio.run(asyncio.wait_for(work(), 10))

    run.__doc__ = work.__doc__
    return run


@on_loop
async def test_acknowledges_in_order() -> None:
    """Whatever ends first, offset n is acknowledged only after all before it."""
    bench = Bench()
    await bench.open()
    await bench.put(0, 1, 2)
    await bench.end(2)
    assert bench.acked == []
    await bench.end(0)
    assert bench.acked == [0]
    await bench.end(1)
    assert bench.acked == [0, 1, 2]
    assert bench.lanes.settled == 3


@on_loop
async def test_work_that_is_under_way_is_bounded() -> None:
    """No more records are begun than there is room; the next one begins when one ends."""
    bench = Bench(room=2)
    await bench.open()
    feeding = asyncio.create_task(bench.put(0, 1, 2))
    await settle()
    assert bench.begun == [0, 1]
    await bench.end(1)
    await feeding
    assert bench.begun == [0, 1, 2]


@on_loop
async def test_a_slow_record_does_not_fill_memory() -> None:
    """At most `depth` records wait behind one that is slow."""
    bench = Bench(room=10, depth=3)
    await bench.open()
    await bench.put(0, 1, 2)
    await bench.end(1, 2)
    feeding = asyncio.create_task(bench.put(3))
    await settle()
    assert bench.begun == [0, 1, 2]
    await bench.end(0)
    await feeding
    assert bench.begun == [0, 1, 2, 3]


@on_loop
async def test_a_real_gap_is_passed() -> None:
    """Offsets that the log does not have (compaction, transactions, retention) hold nothing up."""
    bench = Bench(log={0, 5})
    await bench.open()
    await bench.put(0, 5)
    await bench.end(0, 5)
    assert bench.acked == [0, 5]
    assert bench.rewound == []


@on_loop
async def test_records_that_were_passed_over_are_fetched() -> None:
    """A gap that is none sends the client back; what came too early is dropped until it comes in its turn."""
    bench = Bench(log=set(range(6)))
    await bench.open()
    await bench.put(0, 3, 4)
    assert bench.rewound == [1]
    assert bench.begun == [0]
    await bench.put(1, 2, 3, 4, 5)
    await bench.end(5, 4, 3, 2, 1, 0)
    assert bench.acked == [0, 1, 2, 3, 4, 5]
    assert bench.rewound == [1]


@on_loop
async def test_the_first_record_is_held_to_the_committed_offset() -> None:
    """A hole before the very first record of a generation is noticed too."""
    bench = Bench(log=set(range(10)), start=4)
    await bench.open()
    await bench.put(6)
    assert bench.rewound == [4]
    assert bench.begun == []


@on_loop
async def test_a_hole_that_stays_is_fatal() -> None:
    """When going back does not help, going on would lose records: that is said."""
    bench = Bench(log=set(range(10)))
    await bench.open()
    for _ in range(5):
        await bench.put(6)
        bench.lanes._lanes[PLACE].until = 0.0
    with pytest.raises(LostRecords, match="t/0@6 came where 0 was expected"):
        await bench.put(6)
    assert bench.rewound == [0] * 5
    assert bench.begun == []


@on_loop
async def test_a_repeated_record_is_not_done_again() -> None:
    """A record that comes twice in a generation is done once, and both deliveries are acknowledged with it."""
    bench = Bench()
    await bench.open()
    await bench.put(0, 1, 0, 1)
    assert bench.begun == [0, 1]
    await bench.end(0)
    assert bench.acked == [0, 0]
    await bench.put(0)
    assert bench.acked == [0, 0, 0]
    await bench.end(1)
    assert bench.acked == [0, 0, 0, 1, 1]


@on_loop
async def test_a_closed_generation_acknowledges_nothing() -> None:
    """Work that ends after its partition was taken away is not acknowledged, and its late records are dropped."""
    bench = Bench()
    await bench.open()
    await bench.put(0)
    bench.lanes.close()
    await bench.put(1)
    await bench.end(0)
    assert bench.acked == []
    assert bench.begun == [0]
    assert bench.lanes.in_flight == 0


@on_loop
async def test_work_under_way_is_taken_over_by_the_next_generation() -> None:
    """A record that is delivered again while its work still goes on waits for that work, and is acknowledged with it."""
    bench = Bench()
    await bench.open(1)
    await bench.put(0)
    await bench.open(2)
    await bench.put(0, 1, generation=2)
    assert bench.begun == [0, 1]
    await bench.end(0)
    assert bench.acked == [0]


@on_loop
async def test_work_that_breaks_off_is_begun_again() -> None:
    """Work that ends without an end in a generation that lasts is tried again, and only then acknowledged."""
    bench = Bench()
    await bench.open()
    await bench.put(0)
    first = bench.ends[0]
    first.cancel()
    await until(lambda: bench.ends[0] is not first)
    assert bench.acked == []
    await bench.end(0)
    assert bench.begun == [0, 0]
    assert bench.acked == [0]


@on_loop
async def test_a_topic_made_anew_is_read_from_its_start() -> None:
    """Where the log begins before the committed offset, the log is right."""
    bench = Bench(start=100)
    await bench.open()
    await bench.put(0, 1)
    await bench.end(0, 1)
    assert bench.acked == [0, 1]


@on_loop
async def test_partitions_do_not_wait_for_each_other() -> None:
    """A slow record holds up its own partition's acknowledgements only."""
    bench = Bench()
    await bench.lanes.open(1, frozenset([PLACE, Place("t", 1)]))
    await bench.put(0)
    await bench.lanes.put(record(7, 1), 1, lambda: bench.acked.append(7))
    await settle()
    bench.start = 0
    await bench.end(7)
    assert bench.acked == [7]


@on_loop
async def test_draining_waits_for_work() -> None:
    """`drain` returns when work has ended, or when its patience has."""
    bench = Bench()
    await bench.open()
    await bench.put(0)
    assert not await bench.lanes.drain(0.01)
    draining = asyncio.create_task(bench.lanes.drain(5))
    await settle()
    await bench.end(0)
    assert await draining
