"""Machine-wide lock: one training at a time; a second one waits and reports what it waits for."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.report import Report


@contextmanager
def turn(home: Path, what: str, report: Report) -> Iterator[None]:
    """Wait until no other training runs in this home, and hold the lock meanwhile. Waiting trainings report `what`."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "turn.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            report.say(f"waits its turn: {lock.read().strip() or 'another model'} is trained on this machine now")
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        lock.truncate()
        lock.write(what)
        lock.flush()
        yield
