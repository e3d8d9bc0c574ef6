"""What a service's function can find out about the call that it answers, and report while it works."""

import contextlib
import uuid
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from streams.service.progress_report import Progress
from streams.service.progress_report import progress as checked

_KEY: ContextVar[str] = ContextVar("millrace-call")
_BUNDLE: ContextVar[Path | None] = ContextVar("millrace-bundle", default=None)
_HEARD: ContextVar[Callable[[Progress], None]] = ContextVar("millrace-heard")


def key() -> str:
    """Return the key of this call for other systems: the same at every attempt and every delivery of one node execution.

    Outside a run, as in a test of a function, it is new each time.
    """
    return _KEY.get(None) or str(uuid.uuid4())


def bundle() -> Path | None:
    """Return the folder of the bundle that serves this call; None for the shipped one. `Slot` loads it."""
    return _BUNDLE.get()


def progress(text: str = "", *, done: float | None = None, **figures: Any) -> None:
    """Report how far this call is: clients that follow the run see a `node.progress` event of its node.

    `text` is for people, one line; `done` is the share of the work that is done, 0 to 1; `figures` are named values that JSON can
    carry: `progress("epoch 3 of 16", done=3 / 16, epoch=3, loss=0.02)`. Cheap, and may be called often:
    a few a second are sent, each the newest there is, and the last one is always sent. Call it in the function itself, in
    what it awaits or in `asyncio.to_thread`; in threads of another making, and outside a run, it does nothing.
    Raises TypeError for a figure that is not JSON, and ValueError for figures of more than 16 KiB.
    """
    report = checked(text, done, figures)
    listener = _HEARD.get(None)
    if listener is not None:
        listener(report)


@contextlib.contextmanager
def known_as(name: str, bundle: str = "") -> Iterator[None]:
    """Make `key` return this name and `bundle` this folder inside the block; empty ones as outside a run."""
    key, folder = _KEY.set(name), _BUNDLE.set(Path(bundle) if bundle else None)
    try:
        yield
    finally:
        _KEY.reset(key)
        _BUNDLE.reset(folder)


@contextlib.contextmanager
def heard_by(listener: Callable[[Progress], None]) -> Iterator[None]:
    """Send what `progress` reports to this listener inside the block."""
    token = _HEARD.set(listener)
    try:
        yield
    finally:
        _HEARD.reset(token)
