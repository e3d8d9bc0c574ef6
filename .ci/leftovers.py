"""End processes that this CI run left behind, and name them: every test must stop what it starts.

A process belongs to the run when it carries the run's mark in its environment, or works in the run's folder for temporary files:
brokers and databases get an environment of their own, and a home in that folder.
"""

import os
import sys
import time
from pathlib import Path

import psutil

PATIENCE_SECONDS = 5.0


def left_behind(mark: str, folder: str) -> list[psutil.Process]:
    """Return the run's processes, without this one and its ancestors."""
    mine = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid not in mine and (_has(process, mark) or _works_in(process, folder)):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def _has(process: psutil.Process, mark: str) -> bool:
    return process.environ().get("MILLRACE_CI_MARK") == mark


def _works_in(process: psutil.Process, folder: str) -> bool:
    return Path(process.cwd()).is_relative_to(folder)


def main() -> int:
    """Return 1 when something was left, else 0."""
    mark, folder = os.environ["MILLRACE_CI_MARK"], os.environ["TMPDIR"]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (left := left_behind(mark, folder)) and time.monotonic() < deadline:
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
