"""Tasks that go on in the background until somebody ends them."""

import asyncio
import contextlib


async def ended(task: asyncio.Task[None] | None) -> None:
    """Cancel a task and wait until it has ended; None is one that was never started. Raises what the task ended with."""
    if task is not None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
