"""What a process that only computes is not given: the passwords of its worker's environment, and the way to more rights.

A decoder reads what strangers send. Whoever takes one over finds neither S3's keys nor PostgreSQL's in its memory, since the fork
server, from which the children come, is started without them.
"""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_PR_SET_NO_NEW_PRIVS = 38

_OURS = "MILLRACE_"
_KEPT = frozenset({"MILLRACE_HOME", "MILLRACE_DATA", "MILLRACE_OBJECT_DETECTOR"})
"""Where models and public data are."""

_OTHERS = ("AWS_", "PG")
"""What clients of S3 and of PostgreSQL read by themselves."""


def is_withheld(name: str) -> bool:
    """Whether a variable of the environment is none of a computing process's business."""
    return name.startswith(_OTHERS) or (name.startswith(_OURS) and name not in _KEPT)


@contextmanager
def bare_environment() -> Iterator[None]:
    """While this lasts, processes that are started get an environment without what is withheld. Nothing may wait inside."""
    withheld = {name: value for name, value in os.environ.items() if is_withheld(name)}
    for name in withheld:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(withheld)


def give_up() -> None:
    """Lets go of what is withheld, and of every way to more rights than this process has. The latter is Linux only.

    For a child: where its fork server had died and was started anew, it was not started bare.
    """
    for name in [name for name in os.environ if is_withheld(name)]:
        del os.environ[name]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
