"""Where a walk through a topology runs: on the event loop when it is short, in a thread when it may be long."""

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from streams.language.topology import Topology

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = 4
"""Long walks of a process that run at once: they share the interpreter with the event loop, which stays responsive."""


async def walked(topology: Topology | None, walk: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a pure function that walks this topology returns. The caller must have the run's state to itself meanwhile."""
    if topology is None or not topology.laborious:
        return walk(*args, **kwargs)
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads(), functools.partial(walk, *args, **kwargs))


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="walk")
