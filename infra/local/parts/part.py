"""A part of the stack as a value: what it needs, how it starts, and when it is ready."""

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from infra.local.processes import process
from infra.local.stack_context import StackContext


def _nothing(_: StackContext) -> None:
    """Prepare nothing."""


def _bare(_: StackContext) -> Mapping[str, str]:
    return process.bare()


@dataclass(frozen=True)
class Part:
    """One supervised process. Its functions take the stack's context and are called again at every start."""

    name: str
    command: Callable[[StackContext], Sequence[str]]
    ready: Callable[[StackContext], bool] | None
    """Return whether it serves now; None for a task, which is ready once it has ended with status 0. Must not raise."""
    needs: tuple[str, ...] = ()
    """Parts that must be ready before this one starts; they stop after it."""
    prepare: Callable[[StackContext], None] = _nothing
    """Runs before each start, to write configuration files and folders."""
    settle: Callable[[StackContext], None] = _nothing
    """Runs once the part is ready, before any part that needs it starts."""
    environ: Callable[[StackContext], Mapping[str, str]] = _bare
    """Returns the whole environment of the process."""
    ports: tuple[str, ...] = ()
    """Names of its ports; `status` shows the first."""
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    """Sent by the kernel when the launcher dies."""
    grace: float = 10.0
    """Seconds to stop; then its process group is killed."""
    patience: float = 120.0
    """Seconds to become ready; then it is killed and started again."""
    relapse: float | None = None
    """Seconds that a started part may be unready while everything it needs is ready, before it is restarted; None: no limit."""
    aside: bool = False
    """True if the stack counts as ready without this part."""
