"""Becomes the given command, after asking the kernel to end it when its parent dies.

Run as a script, by path: `python -I -S guard.py PARENT_PID SIGNAL COMMAND...`. Imports nothing that takes time.
"""

import os
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int, number: int) -> None:
    """Have the kernel send this process a signal when its parent (whose id is given) dies; not on macOS, which cannot."""
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel was asked
        os.kill(os.getpid(), number)


def main(arguments: list[str]) -> None:
    """Replace this process by the command."""
    parent, number, command = int(arguments[0]), int(arguments[1]), arguments[2:]
    die_with_parent(parent, number)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        raise SystemExit(f"{command[0]}: {error.strerror}") from error


if __name__ == "__main__":
    main(sys.argv[1:])
