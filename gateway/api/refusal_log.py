"""Logging refused clients, at most one line in a while: strangers must not be able to fill the log."""

import asyncio
import logging
from collections import Counter

log = logging.getLogger(__name__)

PERIOD = 10.0
"""Seconds between two lines."""


class RefusalLog:
    """Counts refusals by reason; logs the first at once, and those of each period after it together."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._waiting = False

    def note(self, why: str) -> None:
        """Count a refused client. Call it on the event loop only."""
        self._counts[why] += 1
        if not self._waiting:
            self._write()

    def _write(self) -> None:
        self._waiting = bool(self._counts)
        if self._waiting:
            reasons = "; ".join(f"{number} x {why}" for why, number in self._counts.most_common())
            log.warning("refused clients: %s", reasons)
            self._counts.clear()
            asyncio.get_running_loop().call_later(PERIOD, self._write)
