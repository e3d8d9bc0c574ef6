"""What flow knows of one partition: the runs that are open in it, and those that ended a short while ago."""

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka.errors import KafkaError

from streams.flow.message_handler import Step
from streams.flow.run import timers
from streams.flow.run_state import RunState
from streams.flow.state_rows import DONE, OPEN, Row, left_behind, rebuild
from streams.messages import EventKind, Run
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.connections.state_log import StateLog
from streams.runtime.flow.timers import Timers
from streams.runtime.retrying import Outages, retry_until_available

REMEMBERED = 600.0
"""Seconds for which the marker of an ended run stays: as long as a late token can come."""
_PATIENCE = 5.0
"""Seconds that work of the last generation may take to end before its tasks are cancelled."""


class PartitionState:
    """The runs of one partition in one generation, rebuilt from `flow.state` before the first message."""

    def __init__(
        self, partition: int, rows: StateLog, pipelines: Pipelines, run_timers: Timers, outages: Outages
    ) -> None:
        self.partition = partition
        self._rows = rows
        self._pipelines = pipelines
        self._timers = run_timers
        self._outages = outages
        self._runs: dict[str, RunState] = {}
        self._done: dict[str, tuple[EventKind, bool]] = {}
        """How each ended run ended, and whether it was ever opened."""
        self._ended: deque[tuple[float, str]] = deque()
        """When each of them ended (epoch seconds), oldest first."""
        self._ready: asyncio.Task[None] | None = None

    def load(self, working: Iterable[asyncio.Task[None]]) -> None:
        """Start to rebuild the state, once the work of the last generation has ended or is cancelled."""
        self._ready = asyncio.create_task(self._load(list(working)), name=f"state of partition {self.partition}")

    async def ready(self) -> "PartitionState":
        """Return this state once it is rebuilt."""
        assert self._ready is not None
        await asyncio.shield(self._ready)
        return self

    def discard(self) -> None:
        """Forget everything: the partition belongs to another worker, or to the next generation."""
        if self._ready is not None:
            self._ready.cancel()
        for run in self._runs:
            self._timers.drop(run)
        self._runs.clear()

    def state(self, run: str) -> RunState | None:
        """Return the state of a run; None for a run that is not known."""
        done = self._done.get(run)
        if done is not None:
            kind, opened = done
            return RunState(Run(run, "", "", 0.0), opened=opened, done=kind, rows={DONE})
        return self._runs.get(run)

    def keep(self, run: str, step: Step) -> None:
        """Remember the state that a step left, and set its timers."""
        state = step.state
        if state is None:
            return
        if state.done is None:
            self._runs[run] = state
            for timer in step.timers:
                self._timers.set(run, timer.at, timer.stop)
            return
        if run not in self._done:
            self._runs.pop(run, None)
            self._timers.drop(run)
            self._ended.append((time.time(), run))
        self._done[run] = (state.done, state.opened)

    async def prune(self) -> int:
        """Forget runs that ended more than REMEMBERED seconds ago, here and in the log. Returns how many."""
        old: list[str] = []
        while self._ended and self._ended[0][0] < time.time() - REMEMBERED:
            old.append(self._ended.popleft()[1])
        if old:
            await self._rows.write([Row(run, DONE, None) for run in old], self.partition)
            for run in old:
                self._done.pop(run, None)
        return len(old)

    async def _load(self, working: list[asyncio.Task[None]]) -> None:
        await _settled(working)
        rows, ended = await retry_until_available(
            self._outages, "kafka", lambda: self._rows.read(self.partition), KafkaError, OSError
        )
        leftovers = [row for run, values in rows.items() for row in left_behind(run, values)]
        await self._rows.write(leftovers, self.partition)
        for run, values in rows.items():
            if DONE in values:
                self._done[run] = (EventKind(values[DONE]["kind"]), bool(values[DONE].get("opened", True)))
                self._ended.append((ended.get(run, time.time()), run))
            else:
                await self._load_run(run, values)
        self._ended = deque(sorted(self._ended))

    async def _load_run(self, run: str, values: Mapping[str, Mapping[str, Any]]) -> None:
        digest = values[OPEN]["digest"] if OPEN in values else ""
        topology = await self._pipelines.wait_topology(digest) if digest else None
        state = rebuild(run, values, topology.windows if topology else {})
        self._runs[run] = state
        if topology is not None:
            for timer in timers(topology, state):
                self._timers.set(run, timer.at, timer.stop)


async def _settled(working: list[asyncio.Task[None]]) -> None:
    """Wait for running work, then cancel it: its record is delivered again and must find the state that the log has."""
    if not working:
        return
    _, late = await asyncio.wait(working, timeout=_PATIENCE)
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late)
