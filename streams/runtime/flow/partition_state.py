"""What flow knows of one partition: the runs that are open in it, and those that are over but not forgotten."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterable

from aiokafka.errors import KafkaError

from streams.flow.run import timers
from streams.flow.run_state import RunState
from streams.flow.state_rows import DONE, Row, left_behind, rebuild
from streams.messages import EventKind, Run
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.connections.state_log import StateLog
from streams.runtime.flow.timers import Timers
from streams.runtime.retrying import Outages, retry_until_available

log = logging.getLogger(__name__)

REMEMBERED = 600.0
"""Seconds for which the marker of an ended run stays: as long as a late token can come."""
_PATIENCE = 5.0


class PartitionState:
    """The runs of one partition in one generation, rebuilt from `flow.state` before the first message."""

    def __init__(self, partition: int, log_: StateLog, pipelines: Pipelines, due: Timers, outages: Outages) -> None:
        self.partition = partition
        self._log = log_
        self._pipelines = pipelines
        self._timers = due
        self._outages = outages
        self._runs: dict[str, RunState] = {}
        self._done: dict[str, tuple[EventKind, bool]] = {}
        self._ended: deque[tuple[float, str]] = deque()
        self._ready: asyncio.Task[None] | None = None

    def load(self, before: Iterable[asyncio.Task[None]]) -> None:
        """Begins to rebuild, after the work of the former generation has ended (or was stopped)."""
        self._ready = asyncio.create_task(self._load(list(before)), name=f"state of partition {self.partition}")

    async def ready(self) -> "PartitionState":
        """This shard, when it is rebuilt."""
        assert self._ready is not None
        await asyncio.shield(self._ready)
        return self

    def discard(self) -> None:
        """Forgets everything: the partition belongs to somebody else, or to the next generation."""
        if self._ready is not None:
            self._ready.cancel()
        for run in self._runs:
            self._timers.drop(run)
        self._runs.clear()

    @property
    def open(self) -> int:
        """Runs that are open."""
        return len(self._runs)

    async def state(self, run: str) -> RunState | None:
        """What is known of a run."""
        done = self._done.get(run)
        if done is not None:
            return RunState(Run(run, "", "", 0.0), opened=done[1], done=done[0], rows={DONE})
        return self._runs.get(run)

    def keep(self, run: str, state: RunState | None) -> None:
        """Remembers the state that a step left."""
        if state is None:
            return
        if state.done is None:
            self._runs[run] = state
            return
        if run not in self._done:
            self._runs.pop(run, None)
            self._timers.drop(run)
            self._ended.append((time.time(), run))
        self._done[run] = (state.done, state.opened)

    async def prune(self) -> int:
        """Forgets runs that ended long ago, here and in the log; how many."""
        old: list[str] = []
        while self._ended and self._ended[0][0] < time.time() - REMEMBERED:
            old.append(self._ended.popleft()[1])
        if old:
            await self._log.write([Row(run, DONE, None) for run in old], self.partition)
            for run in old:
                self._done.pop(run, None)
        return len(old)

    async def _load(self, before: list[asyncio.Task[None]]) -> None:
        if before:
            _, late = await asyncio.wait(before, timeout=_PATIENCE)
            for task in late:  # its record is delivered again, and must find the state as the log has it
                task.cancel()
            if late:
                await asyncio.wait(late)
        rows, ended = await retry_until_available(
            self._outages, "kafka", lambda: self._log.read(self.partition), KafkaError, OSError
        )
        await self._log.write([row for run, values in rows.items() for row in left_behind(run, values)], self.partition)
        for run, values in rows.items():
            if DONE in values:
                self._done[run] = (EventKind(values[DONE]["kind"]), bool(values[DONE].get("opened", True)))
                self._ended.append((ended.get(run, time.time()), run))
                continue
            digest = values["open"]["digest"] if "open" in values else ""
            topology = await self._pipelines.wait_topology(digest) if digest else None
            state = rebuild(run, values, topology.windows if topology else {})
            self._runs[run] = state
            if topology is not None:
                for timer in timers(topology, state):
                    self._timers.set(run, timer.at, timer.stop)
        self._ended = deque(sorted(self._ended))
