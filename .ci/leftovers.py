"""Ends what processes carry the mark of this CI run, and says so: every test must stop what it starts."""

import os
import sys
import time

import psutil

PATIENCE_SECONDS = 5.0


def marked(mark: str) -> list[psutil.Process]:
    """Processes other than this one and its ancestors with the mark in their environment."""
    mine = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid not in mine and process.environ().get("MILLRACE_CI_MARK") == mark:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def main() -> int:
    """Status 1 when something was left."""
    mark = os.environ["MILLRACE_CI_MARK"]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (left := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.1)
    for process in left:
        try:
            sys.stderr.write(f"left behind: {process.pid} {' '.join(process.cmdline())[:200]}\n")
            process.kill()
        except psutil.NoSuchProcess:
            continue
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
