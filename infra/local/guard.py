"""Becomes the given command, after asking the kernel to end it when its parent dies.

Run as a script, by path: `python -I -S guard.py PARENT_PID SIGNAL COMMAND...`. Imports nothing that takes time.
"""

import os
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Replace this process by the command; on systems without a parent-death signal, without that protection."""
    parent, signal, command = int(arguments[0]), int(arguments[1]), arguments[2:]
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal, 0, 0, 0)
        if os.getppid() != parent:  # the parent died before the kernel was asked
            raise SystemExit(1)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        raise SystemExit(f"{command[0]}: {error.strerror}") from error


if __name__ == "__main__":
    main(sys.argv[1:])
