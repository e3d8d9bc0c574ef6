"""OrderedAcks: acknowledgement in order, bounds, rebalances."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from streams.runtime.kafka.ordered_acks import OrderedAcks
from streams.wire.records import Place, Record
from tests.integration.support.waiting import until

PLACE = Place("t", 0)


def record(offset: int, partition: int = 0) -> Record:
    """A record with nothing in it."""
    return Record(Place("t", partition), offset, b"k", b"v")


class Bench:
    """OrderedAcks with work that ends when the test says so."""

    def __init__(self, skips: Callable[[Record], bool] = lambda _: False, **limits: int) -> None:
        self.begun: list[int] = []
        self.settled: list[tuple[int, int]] = []
        """Partition, and the offset up to which it is done with."""
        self.ends: dict[int, asyncio.Future[None]] = {}
        self.acks = OrderedAcks(self._work, settled=self._settle, skips=skips, **(limits or {"room": 10}))

    def _settle(self, place: Place, offset: int) -> None:
        self.settled.append((place.partition, offset))

    async def _work(self, taken: Record) -> None:
        self.begun.append(taken.offset)
        self.ends[taken.offset] = asyncio.get_running_loop().create_future()
        await self.ends[taken.offset]

    def open(self, generation: int = 1) -> None:
        """Begins a generation."""
        self.acks.open(generation)

    async def put(self, *offsets: int, generation: int = 1) -> None:
        """Delivers records."""
        for offset in offsets:
            await self.acks.put(record(offset), generation)
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
    bench.open()
    await bench.put(0, 1, 2)
    await bench.end(2)
    assert bench.settled == []
    await bench.end(0)
    assert bench.settled == [(0, 1)]
    await bench.end(1)
    assert bench.settled == [(0, 1), (0, 3)]
    assert bench.acks.settled == 3


@on_loop
async def test_work_that_is_under_way_is_bounded() -> None:
    """No more records are begun than there is room; the next one begins when one ends."""
    bench = Bench(room=2)
    bench.open()
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
    bench.open()
    await bench.put(0, 1, 2)
    await bench.end(1, 2)
    feeding = asyncio.create_task(bench.put(3))
    await settle()
    assert bench.begun == [0, 1, 2]
    await bench.end(0)
    await feeding
    assert bench.begun == [0, 1, 2, 3]


@on_loop
async def test_a_closed_generation_acknowledges_nothing() -> None:
    """Work that ends after its partition was taken away is not acknowledged, and its late records are dropped."""
    bench = Bench()
    bench.open()
    await bench.put(0)
    bench.acks.close()
    await bench.put(1)
    await bench.end(0)
    assert bench.settled == []
    assert bench.begun == [0]
    assert bench.acks.in_flight == 0


@on_loop
async def test_work_under_way_is_taken_over_by_the_next_generation() -> None:
    """A record that is delivered again while its work still goes on waits for that work, and is acknowledged with it."""
    bench = Bench()
    bench.open(1)
    await bench.put(0)
    bench.open(2)
    await bench.put(0, 1, generation=2)
    assert bench.begun == [0, 1]
    await bench.end(0)
    assert bench.settled == [(0, 1)]


@on_loop
async def test_work_that_breaks_off_is_begun_again() -> None:
    """Work that ends without an end in a generation that lasts is tried again, and only then acknowledged."""
    bench = Bench()
    bench.open()
    await bench.put(0)
    first = bench.ends[0]
    first.cancel()
    await until(lambda: bench.ends[0] is not first)
    assert bench.settled == []
    await bench.end(0)
    assert bench.begun == [0, 0]
    assert bench.settled == [(0, 1)]


@on_loop
async def test_partitions_do_not_wait_for_each_other() -> None:
    """A slow record holds up its own partition's acknowledgements only."""
    bench = Bench()
    bench.open()
    await bench.put(0)
    await bench.acks.put(record(7, 1), 1)
    await settle()
    await bench.end(7)
    assert bench.settled == [(1, 8)]


@on_loop
async def test_offsets_that_no_record_has_hold_nothing_up() -> None:
    """Compaction, transactions and retention leave gaps: what is settled is what came."""
    bench = Bench()
    bench.open()
    await bench.put(0, 5)
    await bench.end(5)
    assert bench.settled == []
    await bench.end(0)
    assert bench.settled == [(0, 6)]


@on_loop
async def test_draining_waits_for_work() -> None:
    """`drain` returns when work has ended, or when its patience has."""
    bench = Bench()
    bench.open()
    await bench.put(0)
    assert not await bench.acks.drain(0.01)
    draining = asyncio.create_task(bench.acks.drain(5))
    await settle()
    await bench.end(0)
    assert await draining


@on_loop
async def test_skipped_records_take_no_room_and_are_settled_in_their_turn() -> None:
    """They settle at once behind what is settled, and wait behind what is in work."""
    bench = Bench(skips=lambda record: record.offset % 2 == 1, room=1)
    bench.open()
    await bench.put(1, 2)
    assert (bench.begun, bench.settled) == ([2], [(0, 2)])
    await bench.put(3, 5)
    assert bench.settled == [(0, 2)]
    await bench.end(2)
    assert bench.settled == [(0, 2), (0, 6)]
    assert bench.acks.in_flight == 0


@on_loop
async def test_a_skipped_record_of_a_generation_that_is_over_settles_nothing() -> None:
    """Its next owner gets it again."""
    bench = Bench(skips=lambda _: True)
    bench.open()
    bench.acks.close()
    await bench.put(1)
    assert bench.settled == []
