"""Throttles the progress of a call at its source, so that a chatty service floods neither a pipe nor a topic."""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from streams.service.progress_report import Progress

PERIOD = 0.25
"""Seconds between two reports that are sent."""


class ProgressThrottle:
    """Sends the newest progress of one call at most once in `period` seconds, and the last progress when the call ends.

    `send` may be called from another thread, and is never called after `close`.
    """

    def __init__(self, send: Callable[[Progress], None], period: float = PERIOD) -> None:
        self._send = send
        self._period = period
        self._lock = threading.Lock()
        self._count = 0
        self._newest: Progress | None = None
        self._timer: threading.Timer | None = None
        self._next = 0.0
        self._closed = False

    def report(self, progress: Progress) -> None:
        """Accept progress; after the end of the call it is ignored."""
        with self._lock:
            if self._closed:
                return
            self._count += 1
            self._newest = replace(progress, number=self._count)
            wait = self._next - time.monotonic()
            if wait <= 0:
                self._flush()
            elif self._timer is None:
                self._timer = threading.Timer(wait, self._late)
                self._timer.daemon = True
                # Without room for a thread, it is sent with the next progress or at the end.
                with contextlib.suppress(RuntimeError):
                    self._timer.start()

    def close(self) -> None:
        """End the call: send what is still to be sent."""
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
            with contextlib.suppress(OSError):  # the worker no longer listens, which is not the service's fault
                self._send(newest)
