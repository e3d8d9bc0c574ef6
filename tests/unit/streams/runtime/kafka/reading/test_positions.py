"""Positions: what comes next in each partition, whatever the client says."""

from streams.runtime.kafka.reading.positions import BEGINNING, Positions
from streams.wire.records import Place

PLACE = Place("t", 0)


def at(offset: int) -> Positions:
    """The position of one partition."""
    positions = Positions()
    positions.begin({PLACE: offset})
    return positions


def test_records_behind_the_position_are_dropped() -> None:
    """A client that went back to the log's start brings what was read before: it is dropped, and what is new is taken."""
    positions = at(5)
    assert [positions.take(PLACE, offset) for offset in (5, 6, 0, 1, 6, 7)] == [True, True, False, False, False, True]


def test_gaps_are_passed() -> None:
    """Offsets that no record has, of transactions or compaction, do not block reading."""
    positions = at(BEGINNING)
    assert [positions.take(PLACE, offset) for offset in (3, 9)] == [True, True]
    positions.reach(PLACE, 12)
    assert positions.now() == {PLACE: 12}
    positions.reach(PLACE, 4)
    assert positions.now() == {PLACE: 12}


def test_partitions_of_others_are_left_alone() -> None:
    """A record of a partition that is not assigned any more is its new owner's."""
    positions = at(5)
    assert not positions.take(Place("t", 1), 9)
    assert positions.skip(Place("t", 1), 0) is None
    assert positions.within(Place("t", 1), 0, 9) is None
    positions.reach(Place("t", 1), 9)
    assert positions.now() == {PLACE: 5}


def test_a_position_out_of_the_log_is_corrected() -> None:
    """Before the log's start, retention has removed records. After its end, the log was recreated."""
    assert at(5).within(PLACE, 3, 9) is None
    assert at(9).within(PLACE, 3, 9) is None
    assert at(2).within(PLACE, 3, 9) == (2, 3)
    assert at(10).within(PLACE, 3, 9) == (10, 3)
    positions = at(BEGINNING)
    assert positions.within(PLACE, 3, 9) == (BEGINNING, 3)
    assert positions.now() == {PLACE: 3}


def test_an_unreadable_record_is_stepped_over() -> None:
    """One offset at a time, from where the log begins."""
    positions = at(5)
    assert [positions.skip(PLACE, 0), positions.skip(PLACE, 0)] == [5, 6]
    assert at(BEGINNING).skip(PLACE, 3) == 3
