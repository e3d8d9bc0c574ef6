"""What a service's function may know of the call that it answers."""

import contextlib
import uuid
from collections.abc import Iterator
from contextvars import ContextVar

_KEY: ContextVar[str] = ContextVar("millrace-call")


def key() -> str:
    """What names this call for other systems: the same at every attempt and every delivery of one node execution.

    Outside a run, as in a test of a function, it is new each time.
    """
    return _KEY.get(None) or str(uuid.uuid4())


@contextlib.contextmanager
def known_as(name: str) -> Iterator[None]:
    """While this lasts, `key` gives this name; with an empty one it is as outside a run."""
    token = _KEY.set(name)
    try:
        yield
    finally:
        _KEY.reset(token)
