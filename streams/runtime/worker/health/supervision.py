"""Supervision of a worker's members: whether they make progress, written to a file every few seconds."""

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any

from streams.reader_trouble import Trouble
from streams.runtime.connections.connections import Connections
from streams.runtime.errors import Stuck
from streams.runtime.worker.health.health_file import HealthFile
from streams.runtime.worker.health.liveness import Liveness
from streams.runtime.worker.health.worker_states import WorkerState
from streams.runtime.worker.hosting.members import Members

PERIOD = 5.0
"""Seconds between two checks."""


class Supervisor:
    """Checks the members of a worker until it is asked to stop. `checked` is called after each check."""

    def __init__(
        self,
        worker: str,
        connections: Connections,
        members: Members,
        checked: Callable[[], None],
        period: float = PERIOD,
    ) -> None:
        """`period`: seconds between two checks."""
        self._period = period
        self._worker = worker
        self._connections = connections
        self._members = members
        self._checked = checked
        self._liveness = Liveness(members.all, connections.offsets, connections.outages)
        self._file = HealthFile(connections.settings.home / "workers" / f"{worker}.json")
        self._announced_troubles: tuple[Trouble, ...] = ()

    def state(self) -> WorkerState:
        """Return what the worker announces of itself now."""
        troubles = self._announced_troubles = self._members.troubles()
        return WorkerState(
            self._worker, time.time(), self._connections.settings.announce, self._members.groups(), troubles
        )

    def outdated(self) -> bool:
        """Return whether the members have other troubles than at the last `state`."""
        return self._announced_troubles != self._members.troubles()

    async def watch(self, stop: asyncio.Event) -> None:
        """Check the members every few seconds until `stop` is set. Raises Stuck when a member cannot go on."""
        stopped = asyncio.create_task(stop.wait())
        try:
            while not await self._stopped_or_failed(stopped):
                failure = self._members.failure()
                if failure is not None:
                    raise Stuck(failure)
                self._file.write(await self._health())
                self._checked()
        finally:
            stopped.cancel()
            self._file.remove()

    async def _stopped_or_failed(self, stopped: "asyncio.Task[bool]") -> bool:
        """Wait for the stop, the failure of a member, or the next check; return whether it is the stop."""
        # Created each time: a service that could not serve at the start may have joined meanwhile.
        failures = [asyncio.create_task(member.failed.wait()) for member in self._members.all]
        try:
            await asyncio.wait([stopped, *failures], timeout=self._period, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in failures:
                task.cancel()
        return stopped.done()

    async def _health(self) -> dict[str, Any]:
        lags = await self._liveness.check()
        return {
            "worker": self._worker,
            "pid": os.getpid(),
            "at": time.time(),
            "waiting_for": self._connections.outages.now(),
            "troubles": [trouble.to_json() for trouble in self._members.troubles()],
            "groups": {
                member.group: {
                    "lag": lags[member.group],
                    "partitions": len(member.assigned),
                    "in_flight": member.acks.in_flight,
                    "finished": member.acks.settled,
                }
                for member in self._members.all
            },
        }
