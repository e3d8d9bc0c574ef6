"""Executors of services: the interface to run a function, and how a call ends."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from streams.messages import Failure, Fault
from streams.runtime.pool.replies import Reply, ReplyKind
from streams.service.progress_report import Progress


@dataclass(frozen=True, slots=True)
class CallResult:
    """The result of a call: a value, or a failure with its stack (for operators, not for callers)."""

    value: Any = None
    failure: Failure | None = None
    stack: str = ""
    after: float = 0.0
    """Seconds that the next attempt waits at least."""
    unavailable: str = ""
    """The part of the installation that the service needs and that is unavailable; empty when that is not why it failed."""

    @classmethod
    def failed(cls, reason: str, hint: str = "", stack: str = "", after: float = 0.0) -> "CallResult":
        """Return a failure by the service's fault. `after`: seconds that the next attempt waits at least."""
        return cls(failure=Failure(reason, Fault.SERVICE, hint=hint), stack=stack, after=after)

    @classmethod
    def of(cls, reply: Reply, memory: int) -> "CallResult":
        """Return the result that a child's reply stands for; `memory` is the limit of the call, in MiB."""
        match reply.ending:
            case ReplyKind.VALUE:
                return cls(reply.value)
            case ReplyKind.REFUSED:
                return cls(failure=Failure(reply.reason, Fault.CALLER, hint=reply.hint))
            case ReplyKind.MEMORY:
                return cls.failed(f"took more than {memory} MiB", "make the input smaller")
            case ReplyKind.UNAVAILABLE:
                failure = Failure(f"{reply.unavailable} is unavailable: {reply.reason}", Fault.SERVICE)
                return cls(failure=failure, unavailable=reply.unavailable)
            case ReplyKind.RAISED:
                return cls.failed(reply.reason, reply.hint, reply.stack, reply.after)


ProgressCallback = Callable[[Progress], None]
"""Called with the progress of a call while it runs; must not raise."""


def ignore_progress(_: Progress) -> None:
    """Ignore progress."""


class Executor(Protocol):
    """Runs functions of services within limits."""

    async def run(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        seconds: float,
        memory: int,
        on_progress: ProgressCallback = ignore_progress,
    ) -> CallResult:
        """Run a module-level function for at most `seconds` and `memory` MiB, until it ends or the caller is cancelled."""

    async def prepare(
        self, key: str, function: Callable[..., Any], *arguments: Any, seconds: float, memory: int
    ) -> CallResult:
        """Run a module-level function once in every process, so that later calls find what it leaves there.

        Returns the result of the process that ended first; after a failure the function is dropped. A later function with the
        same `key` replaces it.
        """
