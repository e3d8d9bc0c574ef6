"""Confinement of processes that only compute: no passwords from the worker's environment, and no way to gain privileges.

A decoder reads untrusted input. An attacker who takes one over finds no credentials of S3 or PostgreSQL in its memory, since the
fork server, from which the children come, is started without them.
"""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_PR_SET_NO_NEW_PRIVS = 38

_OURS = "MILLRACE_"
_KEPT = frozenset({"MILLRACE_HOME", "MILLRACE_DATA", "MILLRACE_OBJECT_DETECTOR"})
"""Variables that say where models and public data are."""

_OTHERS = ("AWS_", "PG")
"""Prefixes of variables that clients of S3 and PostgreSQL read by themselves."""


def is_withheld(name: str) -> bool:
    """Return whether a variable of the environment is kept from computing processes."""
    return name.startswith(_OTHERS) or (name.startswith(_OURS) and name not in _KEPT)


@contextmanager
def bare_environment() -> Iterator[None]:
    """Start processes in this block without the withheld variables. The block must not await anything."""
    withheld = {name: value for name, value in os.environ.items() if is_withheld(name)}
    for name in withheld:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(withheld)


def drop_privileges() -> None:
    """Delete the withheld variables, and give up every way to gain privileges. The latter is Linux only.

    A child needs this when its fork server died and was restarted, since that is not done with a bare environment.
    """
    for name in [name for name in os.environ if is_withheld(name)]:
        del os.environ[name]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
