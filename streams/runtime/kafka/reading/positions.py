"""A reader's position in each of its partitions, kept apart from the client, so that nothing is read twice by mistake.

A client may lose its way: at a batch that it cannot decode, or at an offset outside the log. Its own remedy is to begin at the
log's start or end, which repeats or loses everything. These positions say where to go on.
"""

from collections.abc import Mapping

from streams.wire.records import Place

BEGINNING = -2
"""In place of an offset: the start of the log, wherever that is (the value in Kafka's protocol)."""


class Positions:
    """The next offset of each assigned partition; BEGINNING before the first record of a log that is read from its start."""

    def __init__(self) -> None:
        self._next: dict[Place, int] = {}

    def begin(self, starts: Mapping[Place, int]) -> None:
        """Begin an assignment: these partitions, from these offsets (or BEGINNING)."""
        self._next = dict(starts)

    def now(self) -> dict[Place, int]:
        """Copy the next offset of each partition, or BEGINNING."""
        return dict(self._next)

    def take(self, place: Place, offset: int) -> bool:
        """Step past a record; return False for one that was read before, or whose partition is not assigned."""
        expected = self._next.get(place)
        if expected is None or offset < expected:
            return False
        self._next[place] = offset + 1
        return True

    def reach(self, place: Place, offset: int) -> None:
        """Step to the end of the log: offsets before it that did not come have no records."""
        if place in self._next:
            self._next[place] = max(self._next[place], offset)

    def skip(self, place: Place, low: int) -> int | None:
        """Step past the next offset, which cannot be read, and return it; None if not assigned. `low`: the log's first offset."""
        expected = self._next.get(place)
        if expected is None:
            return None
        offset = max(expected, low)
        self._next[place] = offset + 1
        return offset

    def within(self, place: Place, low: int, high: int) -> tuple[int, int] | None:
        """Correct the position for a log that has the offsets [low, high). Returns (before, now); None when it was right.

        Offsets that retention has removed are skipped. A log that ends before the position was recreated or truncated, and
        is read from its start.
        """
        expected = self._next.get(place)
        if expected is None or low <= expected <= high:
            return None
        self._next[place] = low
        return expected, low
