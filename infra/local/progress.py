"""One line per thing that happened, on stderr."""

import sys
import threading

_lock = threading.Lock()


def say(line: str) -> None:
    """Print one line at once; threads do not mix their lines."""
    with _lock:
        print(f"millrace: {line}", file=sys.stderr, flush=True)
