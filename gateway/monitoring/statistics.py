"""Statistics over all runs, from the history, asked for at most every few seconds."""

import dataclasses
import time
from collections.abc import Callable, Mapping

from gateway.data.interfaces import Counts, HistoryUnavailable, RunHistory

_MAX_AGE = 5.0
"""Seconds for which statistics are reused."""


class Statistics:
    """Keeps the last statistics."""

    def __init__(self, history: RunHistory, positions: Callable[[], Mapping[int, int]]) -> None:
        """`positions`: the next offset of each partition of run.events, as far as this gateway has read it."""
        self._history = history
        self._positions = positions
        self._counts: Counts | None = None
        self._asked_at = -_MAX_AGE

    async def counts(self) -> Counts | None:
        """Return statistics over all runs, at most a few seconds old; None while the history is unavailable."""
        now = time.monotonic()
        if now - self._asked_at > _MAX_AGE:
            self._asked_at = now
            try:
                read = self._positions()  # before the question: what is read meanwhile is not a delay
                counts = await self._history.counts()
            except HistoryUnavailable:
                self._counts = None
            else:
                behind = sum(max(0, end - counts.reach.get(partition, 0)) for partition, end in read.items())
                self._counts = dataclasses.replace(counts, behind=behind)
        return self._counts

    def expire(self) -> None:
        """Ask for fresh statistics next time."""
        self._asked_at = -_MAX_AGE
