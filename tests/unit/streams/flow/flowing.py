"""Flow, message by message: what tests of `step` share."""

from dataclasses import dataclass, field
from typing import Any

from streams.flow.run import step
from streams.flow.run_state import RunState
from streams.flow.state_rows import Row
from streams.language.topology import Topology
from streams.messages import (
    Context,
    Event,
    EventKind,
    Failure,
    FlowMessage,
    JoinToken,
    LogMessage,
    LoopItemDone,
    LoopOpened,
    Message,
    Run,
    Start,
    Status,
    StopSignal,
)

NOW = 1000.0


@dataclass
class Flow:
    """The flow of one run: takes messages, keeps what was sent, written and timed."""

    topology: Topology
    state: RunState | None = None
    now: float = NOW
    rows: dict[str, Any] = field(default_factory=dict)
    timers: list[tuple[float, StopSignal]] = field(default_factory=list)

    @property
    def run(self) -> Run:
        """The run."""
        return Run("r", self.topology.name, self.topology.digest, NOW + self.topology.timeout)

    def take(self, message: FlowMessage | LogMessage) -> list[Message]:
        """What one message leads to, its rows written."""
        following = step(self.topology, self.state, message, self.now)
        self.state = following.state
        for row in [*following.before, *following.after]:
            self.write(row)
        self.timers += [(timer.at, timer.stop) for timer in following.timers]
        return following.messages

    def write(self, row: Row) -> None:
        """Keep a row as the log does."""
        if row.value is None:
            self.rows.pop(row.row, None)
        else:
            self.rows[row.row] = row.value

    def start(self, **inputs: Any) -> list[Message]:
        """The request."""
        return self.take(Start(self.run, inputs, "test"))

    def token(self, join: str, edge: str, *at: int, **values: Any) -> JoinToken:
        """A token with a value; the names of the values are context keys with `__` for `.` and `_in_` for `:`."""
        known = {name.replace("_in_", ":").replace("__", "."): value for name, value in values.items()}
        return JoinToken(self.run, join, at, edge, Status.VALUE, Context(known))

    def skipped(self, join: str, edge: str, *at: int, **values: Any) -> JoinToken:
        """A token of a node that was skipped."""
        known = {name.replace("_in_", ":"): value for name, value in values.items()}
        return JoinToken(self.run, join, at, edge, Status.SKIPPED, Context(known, frozenset({edge})))

    def failed(self, join: str, edge: str, failure: Failure, *at: int, **values: Any) -> JoinToken:
        """A token of a node that failed."""
        known = {name.replace("_in_", ":"): value for name, value in values.items()}
        return JoinToken(self.run, join, at, edge, Status.FAILED, Context(known, frozenset({edge})), failure)

    def opened(self, loop: str, items: tuple[Any, ...], *at: int, **after: Any) -> LoopOpened:
        """A loop that opens."""
        return LoopOpened(self.run, loop, at, items, Context(), Context(after))

    def item(self, loop: str, index: int, value: Any, *at: int) -> LoopItemDone:
        """An item that gave a value."""
        return LoopItemDone(self.run, loop, at, index, Status.VALUE, value)

    def failed_item(self, loop: str, index: int, failure: Failure, *at: int) -> LoopItemDone:
        """An item that failed."""
        return LoopItemDone(self.run, loop, at, index, Status.FAILED, None, failure)


def events(messages: list[Message]) -> list[tuple[EventKind, str]]:
    """The events among messages: kind and path."""
    return [(message.kind, message.path) for message in messages if isinstance(message, Event)]


def others(messages: list[Message]) -> list[Message]:
    """What is no event."""
    return [message for message in messages if not isinstance(message, Event)]
