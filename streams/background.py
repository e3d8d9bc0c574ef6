"""Tasks that go on in the background until somebody ends them."""

import asyncio
import contextlib


async def ended(task: asyncio.Task[None] | None) -> None:
    """Breaks a task off and returns when it has let go; None is one that was never begun. Raises what the task ended with."""
    if task is not None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
