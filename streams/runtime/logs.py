"""The logs of a process: how a line looks, and what is heard of libraries.

While a broker is away, each connection of each client says so ten times a second: 1,500 lines a second for one worker.
"""

import logging
import time
from collections.abc import Callable
from typing import TextIO

LIBRARIES = ("aiokafka", "botocore", "faust", "httpx", "mode")
"""Heard from warnings on, and only as often as is of use."""
MOST = 3
"""Times that a library may say the same in a window."""
WINDOW = 60.0
"""Seconds."""
_KNOWN = 1000


class Calm(logging.Filter):
    """Lets through what a library repeats a few times in a window; the next time, how often it was repeated.

    The same is what has the same text before values are put into it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this is said."""
        if record.name.partition(".")[0] not in LIBRARIES:
            return True
        now, what = self._clock(), (record.name, record.levelno, str(record.msg))
        begun, count = self._said.get(what, (now, 0))
        if now - begun < WINDOW:
            self._said[what] = begun, count + 1
            return count < MOST
        if len(self._said) > _KNOWN:
            self._said.clear()
        self._said[what] = now, 1
        if count > MOST:
            record.msg = f"{record.getMessage()} (and {count - MOST} more like it before)"
            record.args = ()
        return True


def begin(level: int | str = logging.INFO, libraries: int = logging.WARNING, stream: TextIO | None = None) -> None:
    """Logs of this process from here on, to `stream` (standard error)."""
    logging.basicConfig(stream=stream, level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    calm = Calm()
    for handler in logging.getLogger().handlers:
        handler.addFilter(calm)
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(libraries)
    # That a commit took longer than a quarter of a second is nothing that anybody could do something about.
    logging.getLogger("mode.timers").setLevel(logging.ERROR)
