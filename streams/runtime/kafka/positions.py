"""Where a reader stands in each of its partitions, kept apart from the client: what was read is never read again by mistake.

A client may lose its way: at a batch that it cannot decode, at an offset that is out of the log's range. Its own remedy is to begin
at the log's start or end, which repeats or loses everything. Here the reader knows better.
"""

from collections.abc import Mapping

from streams.wire.records import Place

BEGINNING = -2
"""Instead of an offset: wherever the log begins (the value that Kafka's protocol uses)."""


class Positions:
    """The next offset of each assigned partition, or BEGINNING while none was read from a log that is read from its start."""

    def __init__(self) -> None:
        self._next: dict[Place, int] = {}

    def begin(self, starts: Mapping[Place, int]) -> None:
        """Begins an assignment: these partitions, from these offsets (or BEGINNING)."""
        self._next = dict(starts)

    def now(self) -> dict[Place, int]:
        """The next offset of each partition, or BEGINNING."""
        return dict(self._next)

    def take(self, place: Place, offset: int) -> bool:
        """Whether this record is the next one to be read; False for one that was read before, or of another's partition."""
        expected = self._next.get(place)
        if expected is None or offset < expected:
            return False
        self._next[place] = offset + 1
        return True

    def reach(self, place: Place, offset: int) -> None:
        """Notes that the log ends at this offset: what lies before it and did not come is not there."""
        if place in self._next:
            self._next[place] = max(self._next[place], offset)

    def skip(self, place: Place, low: int) -> int | None:
        """Passes over the next offset, which cannot be read, and returns it; `low` is where the log begins. None: not assigned."""
        expected = self._next.get(place)
        if expected is None:
            return None
        offset = max(expected, low)
        self._next[place] = offset + 1
        return offset

    def within(self, place: Place, low: int, high: int) -> tuple[int, int] | None:
        """Corrects the position for a log that has the offsets [low, high): (before, now), or None when it was right.

        What retention has removed is passed over. A log that ends before the position was made anew, or cut off: it is read
        from its start.
        """
        expected = self._next.get(place)
        if expected is None or low <= expected <= high:
            return None
        self._next[place] = low
        return expected, low
