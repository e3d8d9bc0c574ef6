"""A part of the stack as a value: what it needs, how it starts, how one sees that it is ready."""

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
    """One supervised process. Functions take the context and may be called again at every start."""

    name: str
    command: Callable[[StackContext], Sequence[str]]
    ready: Callable[[StackContext], bool] | None
    """Whether it serves now; None for a task, which is ready once it has ended with status 0. Must not raise."""
    needs: tuple[str, ...] = ()
    """Parts that are ready before this one starts, and stop after it."""
    prepare: Callable[[StackContext], None] = _nothing
    """Runs before each start: configuration files, folders."""
    settle: Callable[[StackContext], None] = _nothing
    """Runs once it is ready, before anything that needs it starts."""
    environ: Callable[[StackContext], Mapping[str, str]] = _bare
    """All of its environment."""
    ports: tuple[str, ...] = ()
    """Names of its ports; the first is the one shown."""
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    """Sent by the kernel when the launcher dies."""
    grace: float = 10.0
    """Seconds to stop in; then its process group is killed."""
    patience: float = 120.0
    """Seconds to become ready in."""
    relapse: float | None = None
    """Seconds that it may not be ready again, while all that it needs is, before it is started anew; None: as long as it lives."""
    aside: bool = False
    """The stack is ready without it."""
