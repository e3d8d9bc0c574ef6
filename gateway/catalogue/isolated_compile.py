"""Compiling callers' definitions in processes of their own, which are killed when it takes too long: no other call waits."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from gateway.api.problems import Fault, Kind, Problem
from schemas.contracts import Contract
from streams import errors
from streams.compile import isolated
from streams.language.topology import Topology
from streams.runtime.pool.executors import CallResult
from streams.runtime.pool.pool import Pool

_SECONDS = 10.0
"""Time limit of one definition."""
_MEMORY = 512
"""MiB of one definition."""
_QUEUE_TIMEOUT = 20.0
"""Seconds that a definition waits for its turn."""
_PROCESSES = 2


class ProcessPool(Protocol):
    """Calls functions within limits; see `streams.runtime.pool.pool.Pool`."""

    async def run(self, function: Callable[..., Any], *arguments: Any, seconds: float, memory: int) -> CallResult:
        """Call a function for at most `seconds`, in at most `memory` MiB."""

    async def stop(self) -> None:
        """End the running calls."""


class IsolatedCompiler:
    """Compiles in a pool of processes, which the first definition starts."""

    def __init__(self, pool: ProcessPool | None = None) -> None:
        """`pool`: None for a pool of its own."""
        self._pool: ProcessPool = pool or Pool(_PROCESSES, ["streams.compile.isolated"])
        self._turns = asyncio.Semaphore(_PROCESSES)

    async def compiled(
        self, text: str, contracts: Mapping[str, Contract], library: Mapping[str, str], file: str
    ) -> Topology:
        """Return the topology of a definition. Raises Problem: 422 with every problem, 503 while the queue is too long.

        `library`: the source of every pipeline that it may use, by name.
        """
        try:
            async with asyncio.timeout(_QUEUE_TIMEOUT):
                await self._turns.acquire()
        except TimeoutError:
            raise Problem(
                Kind.UNAVAILABLE, "Other definitions are being compiled; ask again.", headers={"Retry-After": "5"}
            ) from None
        try:
            ended = await self._pool.run(
                isolated.compiled, text, contracts, library, file, seconds=_SECONDS, memory=_MEMORY
            )
        finally:
            self._turns.release()
        if ended.failure is not None:
            fault = Fault("", f"compiling it {ended.failure.reason}", "divide it into pipelines that use each other")
            raise Problem(Kind.INVALID_PIPELINE, "The pipeline is more than can be compiled.", [fault])
        if isinstance(ended.value, bytes):
            return Topology.from_json(ended.value)
        problems = [errors.Problem(**fields) for fields in ended.value]
        many = f"{len(problems)} problems" if len(problems) > 1 else "a problem"
        raise Problem(Kind.INVALID_PIPELINE, f"The pipeline has {many}.", problems)

    async def stop(self) -> None:
        """Kill the processes."""
        await self._pool.stop()
