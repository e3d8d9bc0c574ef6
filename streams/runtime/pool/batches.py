"""Batches calls when the queue is long: several calls of one service go to a child together, and end one by one.

To its caller each call looks as if it had gone alone, with its own limits, failure and progress. When a child dies, the rest of its
batch is tried one by one, so that the call that kills is found and no other suffers for it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from streams.runtime.pool.batch_call import call_all
from streams.runtime.pool.child_main import Call
from streams.runtime.pool.executors import CallResult, ProgressCallback, ignore_progress
from streams.runtime.pool.pool import Pool
from streams.runtime.pool.worker_process import WorkerProcess

log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Item:
    call: Call
    seconds: float
    on_progress: ProgressCallback
    ending: "asyncio.Future[CallResult]"
    alone: bool = False
    """Whether it was in a batch that did not end, and is to run alone."""
    batch: "_Batch | None" = None

    def end(self, ended: CallResult) -> None:
        if not self.ending.done():
            self.ending.set_result(ended)


@dataclass(eq=False, slots=True)
class _Batch:
    items: list[_Item]
    child: WorkerProcess


@dataclass
class BatchCounts:
    """Counts of what was done so far."""

    batches: int = 0
    """Batches that a child ran, including those of one call."""
    calls: int = 0


@dataclass
class Batches:
    """Runs calls of one service in batches of at most `most`; with `together`, its function over many gets a batch as one call."""

    pool: Pool
    most: int
    together: bool = False
    carried: BatchCounts = field(default_factory=BatchCounts)

    def __post_init__(self) -> None:
        self._pending: deque[_Item] = deque()
        self._carriers = set[asyncio.Task[None]]()

    async def run(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        seconds: float,
        memory: int,
        on_progress: ProgressCallback = ignore_progress,
    ) -> CallResult:
        """Run as `Pool.run` does; the cancellation of a caller kills the child only when no other call of the batch is waiting."""
        ending: asyncio.Future[CallResult] = asyncio.get_running_loop().create_future()
        item = _Item(Call(function, arguments, memory), seconds, on_progress, ending)
        self._pending.append(item)
        if len(self._carriers) < self.pool.size:
            carrier = asyncio.create_task(self._carry(), name="batches")
            self._carriers.add(carrier)
            carrier.add_done_callback(self._carriers.discard)
        try:
            return await ending
        except asyncio.CancelledError:
            self._give_up(item)
            raise

    async def prepare(
        self, key: str, function: Callable[..., Any], *arguments: Any, seconds: float, memory: int
    ) -> CallResult:
        """Prepare as `Pool.prepare` does."""
        return await self.pool.prepare(key, function, *arguments, seconds=seconds, memory=memory)

    def _give_up(self, item: _Item) -> None:
        if item.batch is None:
            if item in self._pending:
                self._pending.remove(item)
        elif all(member.ending.done() for member in item.batch.items):
            item.batch.child.abandon()

    async def _carry(self) -> None:
        while self._pending:
            try:
                await self._carry_batch()
            except Exception:  # calls without an end are tried again
                log.exception("a batch failed")

    async def _carry_batch(self) -> None:
        async with self.pool.borrow() as child:
            items = self._take()
            if items:
                await self._work(child, items)

    def _take(self) -> list[_Item]:
        """Take a batch for a free child: its share of the queue, so that the other children get theirs."""
        if not self._pending:
            return []
        first = self._pending.popleft()
        if first.alone:
            return [first]
        taken = [first]
        room = min(self.most, -(-(1 + len(self._pending)) // self.pool.size))
        while self._pending and len(taken) < room and self._goes_with(first, self._pending[0]):
            taken.append(self._pending.popleft())
        return taken

    def _goes_with(self, first: _Item, other: _Item) -> bool:
        # One call of a function over many uses one model; otherwise each call names its own.
        same = not self.together or first.call.arguments[5:] == other.call.arguments[5:]
        return same and not other.alone

    async def _work(self, child: WorkerProcess, items: list[_Item]) -> None:
        self.carried.batches += 1
        self.carried.calls += len(items)
        batch = _Batch(items, child)
        for item in items:
            item.batch = batch
        try:
            if len(items) == 1:
                items[0].end(await child.call(items[0].call, items[0].seconds, items[0].on_progress))
            elif self.together:
                await self._at_once(child, items)
            else:
                await child.each(
                    [(item.call, item.seconds, item.on_progress) for item in items],
                    lambda index, result: items[index].end(result),
                )
        finally:
            unfinished = [item for item in items if not item.ending.done()]
            for item in unfinished:
                item.alone, item.batch = True, None
            self._pending.extendleft(reversed(unfinished))

    async def _at_once(self, child: WorkerProcess, items: Sequence[_Item]) -> None:
        """Call the function over many once for all items; none of them ends when that call fails as a whole."""
        module, name = items[0].call.arguments[:2]
        inputs = [item.call.arguments[2:5] for item in items]
        bundle = items[0].call.arguments[5:]
        memory = items[0].call.memory

        def report(progress: Any) -> None:
            for item in items:
                item.on_progress(progress)

        whole = await child.call(
            Call(call_all, (module, name, inputs, *bundle), memory), sum(item.seconds for item in items), report
        )
        if whole.failure is None:
            for item, reply in zip(items, whole.value, strict=True):
                item.end(CallResult.of(reply, memory))
