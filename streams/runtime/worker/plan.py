"""What a worker is to host."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from streams.runtime.connections.connections import Connections


class Background(Protocol):
    """Work in the background, such as `agents.workers.model_watcher`."""

    async def start(self) -> None:
        """Begin the work."""

    async def stop(self) -> None:
        """End the work."""


class Recorder(Background, Protocol):
    """The handler that records events: `agents.workers.recorder`, which knows PostgreSQL."""

    async def __call__(self, record: Any) -> None:
        """Record one event."""


@dataclass(frozen=True)
class WorkerPlan:
    """What a worker hosts: the modules of its services, and its agents."""

    modules: tuple[str, ...] = ()
    flow: bool = False
    retry: bool = False
    recorder: Callable[[Connections], Recorder] | None = None
    models: Callable[[Connections], Background] | None = None
