"""Logging of a process: the format of a line, and a filter for the repetitions of libraries.

While a broker is unavailable, each connection of each client logs it ten times a second: 1,500 lines a second for one worker.
"""

import logging
import time
from collections.abc import Callable
from typing import TextIO

LIBRARIES = ("aiokafka", "botocore", "faust", "httpx", "mode")
"""Libraries that are logged from warnings on, with repetitions suppressed."""
MAX_REPEATS = 3
"""Times that a library may log the same message within WINDOW."""
WINDOW = 60.0
"""Seconds."""
_MAX_MESSAGES = 1000
"""Messages remembered; beyond that, all are forgotten."""


class RepeatFilter(logging.Filter):
    """Limits how often a library logs the same message; the first line of the next window says how many were dropped.

    Two messages are the same when their format strings are.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._counts: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log this record."""
        if record.name.partition(".")[0] not in LIBRARIES:
            return True
        now, message = self._clock(), (record.name, record.levelno, str(record.msg))
        start, count = self._counts.get(message, (now, 0))
        if now - start < WINDOW:
            self._counts[message] = start, count + 1
            return count < MAX_REPEATS
        if len(self._counts) > _MAX_MESSAGES:
            self._counts.clear()
        self._counts[message] = now, 1
        if count > MAX_REPEATS:
            record.msg = f"{record.getMessage()} (and {count - MAX_REPEATS} more like it before)"
            record.args = ()
        return True


def begin(level: int | str = logging.INFO, libraries: int = logging.WARNING, stream: TextIO | None = None) -> None:
    """Set up the logging of this process, to `stream` (standard error by default)."""
    logging.basicConfig(stream=stream, level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    repeat_filter = RepeatFilter()
    for handler in logging.getLogger().handlers:
        handler.addFilter(repeat_filter)
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(libraries)
    # Its warnings about commits that take longer than a quarter of a second call for no action.
    logging.getLogger("mode.timers").setLevel(logging.ERROR)
