"""How large a value may be that expressions compute, and how much memory the computing of one may take: CEL bounds neither."""

import contextlib
import os
import re
import resource
import threading
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from streams.errors import EvaluationError

LARGEST = 1 << 24
"""Characters that one computed value may have; whatever is no text counts as PART of them."""
PART = 8
MEMORY = 1 << 29
"""Bytes beyond what the process has that one expression may take while it is evaluated."""

TOO_LARGE = f"this gives more than the {LARGEST:,} characters that a value may have"
_HINT = "hand large things on as objects, and lists to each"

_MANIFOLD = re.compile(r"\b(?:replace|join|format|map)\s*\(")
_STATM = Path("/proc/self/statm")
_LOCK = threading.Lock()


class Room:
    """What is left for the parts of one value."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = LARGEST

    def take(self, size: int) -> None:
        """Take so much. Raises EvaluationError when it is not there."""
        self.left -= size
        if self.left < 0:
            raise too_large()


def measure(value: Any, room: Room) -> None:
    """Take room for a value that is there already. Raises EvaluationError when it is not there."""
    if isinstance(value, str | bytes):
        room.take(PART + len(value))
        return
    room.take(PART)
    if isinstance(value, list):
        for one in value:
            measure(one, room)
    elif isinstance(value, Mapping):
        for one in value.values():
            measure(one, room)


def too_large(text: str = "") -> EvaluationError:
    """What is said of a value that is too large."""
    return EvaluationError(f"{text}: {TOO_LARGE}" if text else TOO_LARGE, _HINT)


@lru_cache(maxsize=8192)
def manifold(text: str) -> bool:
    """Whether an expression may give a value many times as large as what it reads."""
    return _MANIFOLD.search(text) is not None


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Makes what would take more than MEMORY a MemoryError, where the system can do it, and not the end of the process."""
    with _LOCK:  # the limit is the process's
        before = resource.getrlimit(resource.RLIMIT_AS)
        limit = _used() + MEMORY
        if limit == MEMORY or any(limit > one != resource.RLIM_INFINITY for one in before):
            yield
            return
        resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_AS, before)


def _used() -> int:
    """Bytes of this process's address space; 0 where nobody says."""
    try:
        return int(_STATM.read_bytes().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0
