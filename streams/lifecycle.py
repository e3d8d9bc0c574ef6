"""The life of a run and of a node execution: which event leads from which status to which.

Everything that depends on the order of events reads these two tables: flow, the gateway's view of a run, the history and the
result records. The diagrams in the documentation are drawn from them. Two rules hold:

- A status without transitions is final. An event that has no transition from a status changes nothing: delivery is at least
  once, so events may repeat or arrive late.
- Only flow emits the event that ends a run, exactly once, and it is the last event of the run. Of a straight run
  (`streams.flow.straight`) flow and the last agent may both emit one: the first in the log is the last event of the run.
"""

from collections.abc import Mapping
from enum import StrEnum


class EventKind(StrEnum):
    """Names of events as clients see them."""

    ACCEPTED = "run.accepted"
    STARTED = "node.started"
    FINISHED = "node.finished"
    SKIPPED = "node.skipped"
    PROGRESS = "node.progress"
    RETRYING = "node.retrying"
    FAILED = "node.failed"
    WAITING = "run.waiting"
    RUN_FINISHED = "run.finished"
    RUN_FAILED = "run.failed"
    RUN_CANCELLED = "run.cancelled"

    @property
    def terminal(self) -> bool:
        """Whether it ends a run."""
        return self in RUN_ENDS

    @property
    def of_node(self) -> bool:
        """Whether it is about a node execution, not the whole run."""
        return self in NODE_EVENTS

    @property
    def over(self) -> bool:
        """Whether it ends a node execution."""
        return self in NODE_ENDS


class Ending(StrEnum):
    """Why flow ends a run, or stops waiting at a join, from outside the run."""

    CANCEL = "cancel"
    DEADLINE = "deadline"
    DEADLY = "deadly"  # one of its messages killed the worker that took it, repeatedly; stored, never sent


class RunStatus(StrEnum):
    """The status of a run."""

    ACCEPTED = "accepted"  # flow has checked the request and keeps the run
    RUNNING = "running"  # at least one node has an event
    WAITING = "waiting"  # a task waits for a service without a live worker
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether a run keeps this status forever."""
        return not RUN[self]


class NodeStatus(StrEnum):
    """The status of a node execution; one that has no event yet has no status."""

    STARTED = "started"  # a worker runs an attempt
    RETRYING = "retrying"  # an attempt failed, the next one waits for its delay
    FINISHED = "finished"
    SKIPPED = "skipped"
    FAILED = "failed"

    @property
    def final(self) -> bool:
        """Whether a node execution keeps this status forever."""
        return not NODE[self]


_NODE_MOVES: Mapping[EventKind, RunStatus] = {
    EventKind.STARTED: RunStatus.RUNNING,
    EventKind.RETRYING: RunStatus.RUNNING,
    EventKind.FINISHED: RunStatus.RUNNING,
    EventKind.SKIPPED: RunStatus.RUNNING,
    EventKind.FAILED: RunStatus.RUNNING,
}
_RUN_ENDS: Mapping[EventKind, RunStatus] = {
    EventKind.RUN_FINISHED: RunStatus.FINISHED,
    EventKind.RUN_FAILED: RunStatus.FAILED,
    EventKind.RUN_CANCELLED: RunStatus.CANCELLED,
}
_WAITS: Mapping[EventKind, RunStatus] = {EventKind.WAITING: RunStatus.WAITING}

RUN: Mapping[RunStatus | None, Mapping[EventKind, RunStatus]] = {
    None: {EventKind.ACCEPTED: RunStatus.ACCEPTED},
    RunStatus.ACCEPTED: {**_NODE_MOVES, **_WAITS, **_RUN_ENDS},
    RunStatus.RUNNING: {**_WAITS, **_RUN_ENDS},
    RunStatus.WAITING: {**_NODE_MOVES, **_RUN_ENDS},
    RunStatus.FINISHED: {},
    RunStatus.FAILED: {},
    RunStatus.CANCELLED: {},
}
"""The life of a run; None stands for one that has no event yet."""

_NODE_ENDS: Mapping[EventKind, NodeStatus] = {
    EventKind.FINISHED: NodeStatus.FINISHED,
    EventKind.SKIPPED: NodeStatus.SKIPPED,
    EventKind.FAILED: NodeStatus.FAILED,
}

NODE: Mapping[NodeStatus | None, Mapping[EventKind, NodeStatus]] = {
    None: {
        EventKind.STARTED: NodeStatus.STARTED,
        EventKind.PROGRESS: NodeStatus.STARTED,
        EventKind.RETRYING: NodeStatus.RETRYING,
        **_NODE_ENDS,
    },
    NodeStatus.STARTED: {EventKind.RETRYING: NodeStatus.RETRYING, **_NODE_ENDS},
    NodeStatus.RETRYING: {EventKind.STARTED: NodeStatus.STARTED, **_NODE_ENDS},
    NodeStatus.FINISHED: {},
    NodeStatus.SKIPPED: {},
    NodeStatus.FAILED: {},
}
"""The life of a node execution; None stands for one that has no event yet. Only a service or `http` node starts and retries."""

ENDINGS: Mapping[Ending, EventKind] = {
    Ending.CANCEL: EventKind.RUN_CANCELLED,
    Ending.DEADLINE: EventKind.RUN_FAILED,
    Ending.DEADLY: EventKind.RUN_FAILED,
}
"""The event with which flow ends a run, by why it ends it."""

DEADLINE_PASSED = "the run's deadline passed"
"""The reason in the event of a run, or of a task, that did not end in time; readers compare it."""

RUN_ENDS: Mapping[EventKind, RunStatus] = {
    kind: status for moves in RUN.values() for kind, status in moves.items() if status.final
}
"""The events that end a run → its final status."""
NODE_ENDS: Mapping[EventKind, NodeStatus] = {
    kind: status for moves in NODE.values() for kind, status in moves.items() if status.final
}
"""The events that end a node execution → its final status."""

NODE_EVENTS = frozenset(kind for moves in NODE.values() for kind in moves)
"""The events of node executions; all others are of the whole run."""


def run_status(status: RunStatus | None, event: EventKind) -> RunStatus | None:
    """Return the status of a run after an event; the same status when the event does not change it."""
    return RUN[status].get(event, status)


def node_status(status: NodeStatus | None, event: EventKind) -> NodeStatus | None:
    """Return the status of a node execution after an event; the same status when the event does not change it."""
    return NODE[status].get(event, status)
