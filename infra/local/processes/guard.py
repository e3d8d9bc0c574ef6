"""Replace this process by a command, after asking the kernel to end it when its parent dies.

Run as a script, by path: `python -I -S guard.py PARENT_PID SIGNAL COMMAND...`. Imports only what is quick.
"""

import os
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int, number: int) -> None:
    """Make the kernel send this process the signal `number` when its parent, whose id is `parent`, dies. Does nothing on macOS."""
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:  # the parent died before the call
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
