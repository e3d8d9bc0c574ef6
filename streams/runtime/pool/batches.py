"""Batches when the queue is long: several calls of one service go to a child together, and come to their ends one by one.

For who calls, it is as if each had gone alone: its own limits, its own failure, its own progress. What is left of a batch
whose child dies is tried one by one, so that the call that kills is found, and no other suffers for it.
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
    """It was in a batch that did not come to its end."""
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
    """What was done so far, for people who wonder whether batches happen."""

    batches: int = 0
    """Turns that a child took, also with one call only."""
    calls: int = 0


@dataclass
class Batches:
    """Calls of one service, `most` in a child's turn; with `together` its function over many gets them as one."""

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
        """As `Pool.run`; that the caller is cancelled kills the child only when nobody else waits for the same batch."""
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
        """As `Pool.prepare`."""
        return await self.pool.prepare(key, function, *arguments, seconds=seconds, memory=memory)

    def _give_up(self, item: _Item) -> None:
        if item.batch is None:
            if item in self._pending:
                self._pending.remove(item)
        elif all(one.ending.done() for one in item.batch.items):
            item.batch.child.abandon()

    async def _carry(self) -> None:
        while self._pending:
            try:
                async with self.pool.lent() as child:
                    items = self._take()
                    if items:
                        await self._work(child, items)
            except Exception:  # those whose end is not known are tried again; nobody else carries them
                log.exception("a batch cannot be carried")

    def _take(self) -> list[_Item]:
        """What a free child gets: its share of what waits, so that the others get theirs."""
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
        # A function over many gets calls of one model; else each call brings its own.
        same = not self.together or first.call.arguments[5:] == other.call.arguments[5:]
        return same and not other.alone

    async def _work(self, child: WorkerProcess, items: list[_Item]) -> None:
        self.carried.batches += 1
        self.carried.calls += len(items)
        batch = _Batch(items, child)
        for one in items:
            one.batch = batch
        try:
            if len(items) == 1:
                items[0].end(await child.call(items[0].call, items[0].seconds, items[0].on_progress))
            elif self.together:
                await self._at_once(child, items)
            else:
                await child.each(
                    [(one.call, one.seconds, one.on_progress) for one in items], lambda at, how: items[at].end(how)
                )
        finally:
            left = [one for one in items if not one.ending.done()]
            for one in left:
                one.alone, one.batch = True, None
            self._pending.extendleft(reversed(left))

    async def _at_once(self, child: WorkerProcess, items: Sequence[_Item]) -> None:
        """What the function over many makes of them; nothing is settled when it fails as a whole."""
        module, name = items[0].call.arguments[:2]
        given = [one.call.arguments[2:5] for one in items]
        bundle = items[0].call.arguments[5:]
        memory = items[0].call.memory

        def hear(said: Any) -> None:
            for one in items:
                one.on_progress(said)

        whole = await child.call(
            Call(call_all, (module, name, given, *bundle), memory), sum(one.seconds for one in items), hear
        )
        if whole.failure is None:
            for one, reply in zip(items, whole.value, strict=True):
                one.end(CallResult.of(reply, memory))
