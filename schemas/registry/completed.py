"""Work that is brought to its end even when nobody waits for it any more.

A pool of somebody else's connections does not always survive that who asked is cancelled (by a time limit, or by a client that
left) in the middle of taking or giving back a connection: that connection is lost, and in the end all of them are.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_under_way: set[asyncio.Task[Any]] = set()
"""The event loop alone does not keep a task alive."""


def _nothing(_: object) -> None:
    pass


async def completed(work: Coroutine[Any, Any, T], late: Callable[[T], object] = _nothing) -> T:
    """Return the result of `work`. A cancelled caller leaves at once while the work continues; `late` is then called with its result."""
    task = asyncio.create_task(work)
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(lambda done: _hand_over(done, late))
        raise


def _hand_over(done: asyncio.Task[T], late: Callable[[T], object]) -> None:
    # Reading the error also says that somebody has seen it.
    if not done.cancelled() and done.exception() is None:
        late(done.result())
