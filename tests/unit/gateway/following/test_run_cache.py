"""The runs in memory: order, repetition, ends, and bounds."""

import asyncio
import dataclasses
import tracemalloc
import uuid
from collections.abc import Iterable

from gateway.data.logged_event import LoggedEvent, parse_event
from gateway.following.run_buffer import RunBuffer
from gateway.following.run_cache import RunCache
from streams.messages import EventKind
from streams.wire.records import Place, Record

E = EventKind
ID = {name: str(uuid.uuid5(uuid.NAMESPACE_OID, name)) for name in "abcdefgh"}


def record(
    offset: int,
    run: str,
    kind: EventKind,
    name: str,
    *,
    at: float = 10_000.0,
    size: int = 10,
    partition: int = 0,
    unless: str = "",
) -> Record:
    """A record of run.events; `name` stands for its event id, `unless` for that of the one that makes it void."""
    headers: tuple[tuple[str, bytes], ...] = (
        ("ce_type", kind.value.encode()),
        ("ce_id", ID.get(name, str(uuid.uuid5(uuid.NAMESPACE_OID, name))).encode()),
    )
    if unless:
        headers = (*headers, ("millrace-unless", ID[unless].encode()))
    return Record(Place("run.events", partition), offset, run.encode(), b"x" * size, headers, at)


def line(one: Record) -> LoggedEvent:
    """The line of a record that is surely an event."""
    made = parse_event(one)
    assert made is not None
    return made


def index(records: Iterable[Record] = (), *, budget: int = 1 << 30, start: int = 0) -> RunCache:
    """An index that has seen these."""
    made = RunCache(budget)
    made.begin(0, start)
    for one in records:
        made.add(one)
    return made


def offsets(entry: RunBuffer | None) -> list[int]:
    """Where the events of a run stand."""
    assert entry is not None
    return [one.sequence for one in entry.events]


def test_events_keep_their_first_offset() -> None:
    """A repeated event counts where it came first, and is not told again."""
    made = index()
    assert made.add(record(0, "r", E.ACCEPTED, "a")) is E.ACCEPTED
    assert made.add(record(1, "r", E.ACCEPTED, "a")) is None
    assert made.add(record(2, "r", E.STARTED, "b")) is E.STARTED
    assert made.add(record(3, "r", E.ACCEPTED, "a")) is None
    assert offsets(made.get("r")) == [0, 2]


def test_progress_that_comes_after_the_end_of_its_node_is_not_told() -> None:
    """A worker that lost its partition may still speak of work that another has finished; also when the past is read later."""
    made = index()
    assert made.add(record(0, "r", E.ACCEPTED, "a")) is E.ACCEPTED
    assert made.add(record(1, "r", E.PROGRESS, "b", unless="c")) is E.PROGRESS
    assert made.add(record(2, "r", E.FINISHED, "c")) is E.FINISHED
    assert made.add(record(3, "r", E.PROGRESS, "d", unless="c")) is None
    assert made.add(record(4, "r", E.PROGRESS, "e", unless="f")) is E.PROGRESS
    assert offsets(made.get("r")) == [0, 1, 2, 4]
    late = index([record(7, "s", E.PROGRESS, "d", unless="c")], start=5)
    found = late.get("s")
    assert found is not None
    assert offsets(found) == [7]
    late.complete(found, [line(record(1, "s", E.ACCEPTED, "a")), line(record(2, "s", E.FINISHED, "c"))])
    assert offsets(found) == [1, 2]


def test_nothing_comes_after_the_end() -> None:
    """What follows the last event of a run is not part of it."""
    made = index([record(0, "r", E.ACCEPTED, "a"), record(1, "r", E.RUN_FINISHED, "b")])
    assert made.add(record(2, "r", E.FINISHED, "c")) is None
    entry = made.get("r")
    assert entry is not None
    assert entry.ended
    assert offsets(entry) == [0, 1]


def test_garbage_is_passed_over() -> None:
    """Records that are no events of ours neither raise nor make a run."""
    made = index()
    place = Place("run.events", 0)
    garbage = [
        Record(place, 0, None, b"x"),
        Record(place, 1, b"r", b"x"),
        Record(place, 2, b"r", b"x", (("ce_type", b"run.accepted"), ("ce_id", b"not a uuid"))),
        Record(place, 3, b"r", b"x", (("ce_type", b"run.exploded"), ("ce_id", ID["a"].encode()))),
        Record(place, 4, b"\xff", b"x", (("ce_type", b"run.accepted"), ("ce_id", ID["a"].encode()))),
        Record(place, 5, b"r", None, (("ce_type", b"run.accepted"), ("ce_id", ID["a"].encode()))),
    ]
    assert [made.add(one) for one in garbage] == [None] * 6
    assert len(made) == 0
    assert made.position(0) == 6


def test_a_run_seen_from_its_beginning_is_whole() -> None:
    """From offset 0 on everything is whole; later only what was accepted well after the tail began."""
    assert index([record(0, "r", E.STARTED, "b")]).get("r").whole  # type: ignore[union-attr]
    made = index([record(100, "old", E.STARTED, "a", at=50.0)], start=100)
    made.add(record(101, "near", E.ACCEPTED, "b", at=60.0))
    made.add(record(102, "new", E.ACCEPTED, "c", at=90.0))
    made.add(record(103, "torn", E.STARTED, "d", at=90.0))
    whole = {run: made.get(run).whole for run in ("old", "near", "new", "torn")}  # type: ignore[union-attr]
    assert whole == {"old": False, "near": False, "new": True, "torn": False}


def test_restoring_merges_earlier_events_in_front() -> None:
    """Restoring a run merges both sides; what came twice counts where it came first; the end ends it."""
    made = index([record(100, "r", E.STARTED, "b"), record(101, "r", E.FINISHED, "c")], start=100)
    with made.hold("r", 0) as entry:
        earlier = [line(record(7, "r", E.ACCEPTED, "a")), line(record(9, "r", E.STARTED, "b"))]
        made.complete(entry, earlier)
        made.add(record(102, "r", E.RUN_FINISHED, "d"))
    assert offsets(entry) == [7, 9, 101, 102]
    assert entry.whole
    assert entry.ended


def test_an_unknown_run_leaves_nothing_behind() -> None:
    """Asking for a run that does not exist costs no memory."""
    made = index()
    with made.hold("nobody", 0) as entry:
        assert entry.events == []
        assert len(made) == 1
    assert len(made) == 0


def test_memory_is_bounded_and_nobody_reads_torn_runs() -> None:
    """The oldest runs go first, ended ones before open ones; a repeated event does not make a let-go run look new."""
    made = index(budget=20_000)
    made.add(record(0, "open", E.ACCEPTED, "open"))
    for number in range(40):
        made.add(record(2 * number + 1, f"r{number}", E.ACCEPTED, f"a{number}"))
        made.add(record(2 * number + 2, f"r{number}", E.RUN_FINISHED, f"b{number}"))
    assert made.size <= 20_000
    assert made.get("r0") is None
    assert made.get("r39") is not None
    assert made.get("open") is not None
    made.add(record(100, "r0", E.ACCEPTED, "a0"))
    entry = made.get("r0")
    assert entry is not None
    assert not entry.whole
    assert entry.since == 100
    assert made.reach("r1", 0) == 101


def test_the_limit_counts_the_memory_that_is_held() -> None:
    """The limit is one of memory: objects weigh several times what is in them."""
    names = ("ce_specversion", "ce_source", "ce_time", "content-type", "traceparent", "millrace-envelope")
    tracemalloc.start()
    try:
        made = index()
        before, _ = tracemalloc.get_traced_memory()
        for number in range(1000):
            for place, kind in enumerate((E.ACCEPTED, E.STARTED, E.FINISHED, E.RUN_FINISHED)):
                one = record(4 * number + place, f"run-{number}", kind, f"{number}/{place}", size=300)
                more = tuple((str(name.encode(), "ascii"), f"{name}{number}".encode() * 3) for name in names)
                made.add(dataclasses.replace(one, headers=(*one.headers, *more)))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.7 < made.size / (after - before) < 1.6


def test_a_run_that_is_read_loses_bodies_but_not_events() -> None:
    """When what is being read is alone too large, the bodies of older events go; all events stay in order."""
    made = index([record(0, "r", E.ACCEPTED, "a")], budget=50_000)
    with made.hold("r", 0) as entry:
        for number in range(1, 30):
            made.add(record(number, "r", E.PROGRESS, f"p{number}", size=5000))
        assert offsets(entry) == list(range(30))
        assert entry.events[1].body is None
        assert entry.events[-1].body is not None
        assert made.size < 80_000
        assert made.size == entry.size


def test_a_waiting_reader_is_woken() -> None:
    """A reader is woken by the next event of its run, and told when none came in time."""

    async def scenario() -> None:
        made = index([record(0, "r", E.ACCEPTED, "a")])
        with made.hold("r", 0) as entry:
            assert not await entry.changed(entry.version, 0.01)
            waiting = [asyncio.create_task(entry.changed(entry.version, 10)) for _ in range(3)]
            await asyncio.sleep(0)
            made.add(record(1, "r", E.STARTED, "b"))
            assert await asyncio.gather(*waiting) == [True] * 3


def test_a_change_before_waiting_is_not_missed() -> None:
    """An event that comes between looking and waiting wakes at once."""

    async def scenario() -> None:
        made = index([record(0, "r", E.ACCEPTED, "a")])
        with made.hold("r", 0) as entry:
            waiting = asyncio.create_task(entry.changed(entry.version, 10))
            made.add(record(1, "r", E.STARTED, "b"))  # before the task has begun to wait
            assert await asyncio.wait_for(waiting, 5)

    asyncio.run(scenario())
