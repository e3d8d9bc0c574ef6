"""One line per thing that happened, on stderr."""

import sys
import threading

_lock = threading.Lock()


def say(line: str) -> None:
    """Print one line at once; threads do not mix their lines."""
    with _lock:
        try:
            print(f"millrace: {line}", file=sys.stderr, flush=True)
        except (OSError, ValueError):
            pass  # the terminal is gone; the parts still need their supervisor
