"""Wait for a condition with a deadline: tests never sleep for a fixed time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from tests.effort import PATIENCE


async def until(
    condition: Callable[[], Any | Awaitable[Any]], seconds: float = 30, what: str | Callable[[], str] = ""
) -> Any:
    """Return the first true value of `condition` (which may be async). Fails after `seconds`, naming what did not come.

    A function as `what` is called then, so that it can tell what there was instead.
    """
    seconds *= PATIENCE
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what or condition}")
        await asyncio.sleep(0.02)
