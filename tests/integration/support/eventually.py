"""Wait for a condition in a test without an event loop."""

import time
from collections.abc import Callable

from tests.effort import PATIENCE


def eventually(condition: Callable[[], object], seconds: float) -> None:
    """Return once the condition is true; an exception counts as not yet, until the deadline."""
    seconds *= PATIENCE
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except Exception:  # a part that is coming up answers with anything
            if time.monotonic() > deadline:
                raise
        assert time.monotonic() < deadline, f"not true within {seconds} s"
        time.sleep(0.05)
