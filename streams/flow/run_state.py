"""What flow knows of one run between its messages."""

from dataclasses import dataclass, field
from enum import StrEnum

from streams.messages import At, Ending, EventKind, Failure, JoinToken, LoopItemDone, LoopOpened, Run, Value

Place = tuple[str, At]
"""A vertex and a position: one join or one loop of a run."""


class Phase(StrEnum):
    """How far flow is with a run; it decides which messages the run takes (`streams.flow.run.step`)."""

    UNKNOWN = "unknown"  # no request has come
    RECALLED = "recalled"  # its cancellation came before its request
    OPEN = "open"
    ENDING = "ending"  # why it ends is stored, its last event may not be sent
    OVER = "over"  # its last event is sent


@dataclass
class Loop:
    """An open `each`: what was opened, which items ended, how many were dispatched."""

    opened: LoopOpened | None = None
    items: dict[int, LoopItemDone] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    dispatched: int = 0

    @property
    def executions(self) -> int:
        """The executions that its opening and its items have reported."""
        return (self.opened.executions if self.opened else 0) + sum(item.executions for item in self.items.values())

    def take(self, item: LoopItemDone) -> None:
        """Add an ended item. Items are dispatched in order, so those before it were dispatched too."""
        self.items[item.index] = item
        self.dispatched = max(self.dispatched, item.index + 1)
        if item.failure:
            self.failures.append(item.failure)


@dataclass
class RunState:
    """What flow knows of one run. Only `step` changes it; `streams.flow.state_rows` rebuilds it from the log."""

    run: Run
    joins: dict[Place, dict[str, JoinToken]] = field(default_factory=dict)
    """The tokens of open joins, by edge."""
    since: dict[Place, float] = field(default_factory=dict)
    """When the first token of each open join came, in epoch seconds."""
    loops: dict[Place, Loop] = field(default_factory=dict)
    closed: set[Place] = field(default_factory=set)
    """Joins that have closed, for late tokens."""
    ended: set[Place] = field(default_factory=set)
    """Loops that have ended, for late items: a loop that waits for several nodes is a join of its own before it opens."""
    reused: dict[Place, Value] = field(default_factory=dict)
    """The values that services returned in the run that this one repeats."""
    rows: set[str] = field(default_factory=set)
    """The names of this run's rows in the log."""
    opened: bool = False
    fatal: Failure | None = None
    """The first failure that the run cannot survive: since then, tasks that have not started are dropped."""
    stopping: Ending | None = None
    """Why the run ends from outside, once that is decided and until its last event is sent."""
    executions: int = 0
    """Nodes, rounds and items so far, as far as they were reported to flow."""
    done: EventKind | None = None
    """The event that ended the run, or that will end it as soon as its request comes."""

    @property
    def phase(self) -> Phase:
        """How far flow is with the run."""
        if self.done:
            return Phase.OVER if self.opened else Phase.RECALLED
        if not self.opened:
            return Phase.UNKNOWN
        return Phase.ENDING if self.stopping else Phase.OPEN


def phase_of(state: RunState | None) -> Phase:
    """Return the phase of a run; UNKNOWN for None."""
    return state.phase if state else Phase.UNKNOWN
