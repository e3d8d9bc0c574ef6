"""Progress messages on stderr, one per line."""

import sys
import threading

_lock = threading.Lock()


def say(line: str) -> None:
    """Print one line immediately; threads do not mix their lines."""
    with _lock:
        try:
            print(f"millrace: {line}", file=sys.stderr, flush=True)
        except (OSError, ValueError):
            pass  # the terminal was closed; the parts still need their supervisor
