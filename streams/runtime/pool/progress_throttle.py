"""What a call says of its progress, thinned out where it is said: a chatty service floods neither a pipe nor a topic."""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from streams.service.progress_report import Progress

PERIOD = 0.25
"""Seconds between two that are sent."""


class ProgressThrottle:
    """Sends what one call says: the newest, one in PERIOD at most, and the last one when the call ends.

    `send` may be called from another thread, and is never called after `close`.
    """

    def __init__(self, send: Callable[[Progress], None], period: float = PERIOD) -> None:
        self._send = send
        self._period = period
        self._lock = threading.Lock()
        self._said = 0
        self._newest: Progress | None = None
        self._timer: threading.Timer | None = None
        self._next = 0.0
        self._closed = False

    def tell(self, progress: Progress) -> None:
        """Takes what is said. What is said after the end of the call is nobody's business any more."""
        with self._lock:
            if self._closed:
                return
            self._said += 1
            self._newest = replace(progress, number=self._said)
            wait = self._next - time.monotonic()
            if wait <= 0:
                self._flush()
            elif self._timer is None:
                self._timer = threading.Timer(wait, self._late)
                self._timer.daemon = True
                # No room for a thread: then it goes with the next one, or with the end.
                with contextlib.suppress(RuntimeError):
                    self._timer.start()

    def close(self) -> None:
        """The call is over: what is still to be sent is sent."""
        with self._lock:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
            self._flush()

    def _late(self) -> None:
        with self._lock:
            self._timer = None
            if not self._closed:
                self._flush()

    def _flush(self) -> None:
        newest, self._newest = self._newest, None
        if newest is not None:
            self._next = time.monotonic() + self._period
            with contextlib.suppress(OSError):  # nobody listens any more: that is not the service's fault
                self._send(newest)
