"""Tasks that run in the background until they are cancelled."""

import asyncio
import contextlib


async def ended(task: asyncio.Task[None] | None) -> None:
    """Cancel a task and wait until it has ended; None does nothing. Raises what the task ended with."""
    if task is not None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
