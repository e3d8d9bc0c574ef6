"""The exit statuses of every command, as a literal table that `--help` shows."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    """The exit status of a command."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    STACK_TOOL = 3
    STACK_INSTALL = 4
    STACK_RUNNING = 5
    STACK_DOWN = 6
    STACK_START = 7
    STACK_PARTLY = 8
    RUN_FAILED = 10
    RUN_CANCELLED = 11
    RUN_NOT_OVER = 12
    UNAVAILABLE = 13
    UNKNOWN = 14
    FAULT = 70
    INTERRUPTED = 130


MEANINGS: Mapping[Exit, str] = {
    Exit.DONE: "done",
    Exit.REFUSED: "what was asked for is wrong; every problem is on stderr",
    Exit.USAGE: "the command line or a setting is wrong",
    Exit.STACK_TOOL: "up: something must be installed first",
    Exit.STACK_INSTALL: "up: the parts could not be fetched",
    Exit.STACK_RUNNING: "up: a stack runs already",
    Exit.STACK_DOWN: "down, status: no stack runs",
    Exit.STACK_START: "up: a part did not start",
    Exit.STACK_PARTLY: "status: the stack runs, and some part of it is not ready",
    Exit.RUN_FAILED: "the run failed",
    Exit.RUN_CANCELLED: "the run was cancelled",
    Exit.RUN_NOT_OVER: "the run continues",
    Exit.UNAVAILABLE: "the server, Kafka, the registry, S3 or PostgreSQL does not answer",
    Exit.UNKNOWN: "there is nothing of that name",
    Exit.FAULT: "a fault of ours",
    Exit.INTERRUPTED: "interrupted with Ctrl-C",
}


def table() -> str:
    """Write the table as text."""
    return "\n".join(f"{status.value:>5}  {meaning}" for status, meaning in MEANINGS.items())


class Failed(Exception):
    """Raised when a command fails: its exit status, and the message for stderr."""

    def __init__(self, exit: Exit, message: str, problem: Mapping[str, Any] | None = None) -> None:
        """`problem` is the problem document of a gateway that refused, for commands that handle it."""
        self.exit = exit
        self.problem = problem or {}
        super().__init__(message)
