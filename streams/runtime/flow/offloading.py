"""Where runs are carried on: at once where that takes no time, in a thread where a walk may take long, so that others go on."""

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from streams.language.topology import Topology

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = 4
"""Long walks of a process that go on beside each other: they take turns, and the process's loop has its own between."""


async def walked(topology: Topology | None, walk: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """What a pure function that walks this topology gives. Whoever asks has the state of the run to itself meanwhile."""
    if topology is None or not topology.laborious:
        return walk(*args, **kwargs)
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads(), functools.partial(walk, *args, **kwargs))


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="walk")
