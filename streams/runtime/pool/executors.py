"""Running the bodies of services: how a call ends, and what whoever runs one offers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from streams.messages import Failure, Fault
from streams.runtime.pool.replies import Reply, ReplyKind
from streams.service.progress_report import Progress


@dataclass(frozen=True, slots=True)
class CallResult:
    """How a call ended: a value, or a failure with the stack (for people who run the system, not for callers)."""

    value: Any = None
    failure: Failure | None = None
    stack: str = ""
    after: float = 0.0
    """Seconds that the next attempt waits at least."""
    away: str = ""
    """The part of the installation that the body needs and that is away; empty when that is not why it failed."""

    @classmethod
    def failed(cls, reason: str, hint: str = "", stack: str = "", after: float = 0.0) -> "CallResult":
        """The service's fault."""
        return cls(failure=Failure(reason, Fault.SERVICE, hint=hint), stack=stack, after=after)

    @classmethod
    def of(cls, reply: Reply, memory: int) -> "CallResult":
        """How a child says that a call ended, which could take `memory` MiB."""
        match reply.ending:
            case ReplyKind.VALUE:
                return cls(reply.value)
            case ReplyKind.REFUSED:
                return cls(failure=Failure(reply.reason, Fault.CALLER, hint=reply.hint))
            case ReplyKind.MEMORY:
                return cls.failed(f"took more than {memory} MiB", "make the input smaller")
            case ReplyKind.AWAY:
                failure = Failure(f"{reply.away} is unavailable: {reply.reason}", Fault.SERVICE)
                return cls(failure=failure, away=reply.away)
            case ReplyKind.RAISED:
                return cls.failed(reply.reason, reply.hint, reply.stack, reply.after)


ProgressCallback = Callable[[Progress], None]
"""Is given what a call says of its progress, while it works; it must not raise."""


def ignore_progress(_: Progress) -> None:
    """For who does not want to know."""


class Executor(Protocol):
    """Where the bodies of services run, limited."""

    async def run(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        seconds: float,
        memory: int,
        on_progress: ProgressCallback = ignore_progress,
    ) -> CallResult:
        """Runs a module-level function for at most `seconds` and `memory` MiB, until it ends or the caller is cancelled."""

    async def prepare(
        self, key: str, function: Callable[..., Any], *arguments: Any, seconds: float, memory: int
    ) -> CallResult:
        """Has a module-level function run once in every process, so that later calls find what it leaves there.

        What it came to where it ended first; where it failed, nothing of it is kept. A later one with the same `key` takes its place.
        """
