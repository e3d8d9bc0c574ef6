"""Compiling what callers send in processes of its own, which end when it takes too long: nobody else waits for it."""

import asyncio
from collections.abc import Mapping

from gateway.api.problems import Fault, Kind, Problem
from schemas.contracts import Contract
from streams import errors
from streams.compile import isolated
from streams.language.topology import Topology
from streams.runtime.pool.pool import Pool

_SECONDS = 10.0
"""Of one definition."""
_MEMORY = 512
"""MiB of one definition."""
_WAITING = 20.0
"""Seconds that a definition waits for its turn."""
_PROCESSES = 2


class IsolatedCompiler:
    """Processes that compile; the first definition starts them."""

    def __init__(self) -> None:
        self._pool = Pool(_PROCESSES, ["streams.compile.isolated"])
        self._turns = asyncio.Semaphore(_PROCESSES)

    async def compiled(
        self, text: str, contracts: Mapping[str, Contract], library: Mapping[str, str], file: str
    ) -> Topology:
        """The topology of a definition. Raises Problem: 422 with every problem, 503 while too many are before it."""
        try:
            async with asyncio.timeout(_WAITING):
                await self._turns.acquire()
        except TimeoutError:
            raise Problem(
                Kind.AWAY, "Other definitions are being compiled; ask again.", headers={"Retry-After": "5"}
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
        problems = [errors.Problem(**one) for one in ended.value]
        many = f"{len(problems)} problems" if len(problems) > 1 else "a problem"
        raise Problem(Kind.INVALID_PIPELINE, f"The pipeline has {many}.", problems)

    async def stop(self) -> None:
        """Ends the processes."""
        await self._pool.stop()
