"""What flow knows of one run between its messages."""

from dataclasses import dataclass, field

from streams.messages import At, Ending, EventKind, Failure, Item, Opened, Run, Token, Value

Place = tuple[str, At]
"""A vertex and a position: one join or one loop of a run."""


@dataclass
class Loop:
    """An open `each`: what was opened, which items ended, how many were dispatched."""

    opened: Opened | None = None
    items: dict[int, Item] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    dispatched: int = 0

    @property
    def executions(self) -> int:
        """How many its opening and its items told of."""
        return (self.opened.executions if self.opened else 0) + sum(one.executions for one in self.items.values())

    def take(self, item: Item) -> None:
        """An item has ended; items begin in order, so those before it have begun."""
        self.items[item.index] = item
        self.dispatched = max(self.dispatched, item.index + 1)
        if item.failure:
            self.failures.append(item.failure)


@dataclass
class RunState:
    """What flow knows of one run. Only `step` changes it; `streams.flow.state_rows` rebuilds it from the log."""

    run: Run
    joins: dict[Place, dict[str, Token]] = field(default_factory=dict)
    since: dict[Place, float] = field(default_factory=dict)
    loops: dict[Place, Loop] = field(default_factory=dict)
    closed: set[Place] = field(default_factory=set)
    """Joins that have closed, for late tokens."""
    ended: set[Place] = field(default_factory=set)
    """Loops that have ended, for late items: a loop that waits for several nodes is a join of its own before it opens."""
    reused: dict[Place, Value] = field(default_factory=dict)
    """What services gave in the run that this one repeats."""
    rows: set[str] = field(default_factory=set)
    """Rows of this run that stand in the log."""
    opened: bool = False
    fatal: Failure | None = None
    """The first failure that the run cannot survive: since then, what has not begun is dropped."""
    stopping: Ending | None = None
    """Why the run is being ended: decided, and not yet said."""
    executions: int = 0
    """Nodes, rounds and items so far, as far as flow was told."""
    done: EventKind | None = None
