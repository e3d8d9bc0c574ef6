"""Saying in the log that clients are refused, at most once in a while: strangers must not be able to fill it."""

import asyncio
import logging
from collections import Counter

log = logging.getLogger(__name__)

PERIOD = 10.0
"""Seconds between two lines."""


class RefusalLog:
    """Counts refusals by their reason, and says the first at once and the others of each period together."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._waits = False

    def note(self, why: str) -> None:
        """Hears that a client was refused. Must be called on the event loop."""
        self._counts[why] += 1
        if not self._waits:
            self._say()

    def _say(self) -> None:
        self._waits = bool(self._counts)
        if self._waits:
            reasons = "; ".join(f"{number} x {why}" for why, number in self._counts.most_common())
            log.warning("refused clients: %s", reasons)
            self._counts.clear()
            asyncio.get_running_loop().call_later(PERIOD, self._say)
