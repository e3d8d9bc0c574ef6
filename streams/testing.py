"""An in-memory driver: the real `advance`, `flow` and records, and a broker that reorders, repeats and loses workers as one may.

It runs a compiled pipeline with Python functions in the place of services. Nothing of it waits: time is a number.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from streams.advance import advance
from streams.flow import RunState, Timer, step
from streams.messages import (
    Action,
    Control,
    Ending,
    Event,
    EventKind,
    Failure,
    Fault,
    FlowMessage,
    Item,
    Message,
    Opened,
    Outcome,
    Result,
    Retry,
    Run,
    Start,
    Status,
    Stop,
    Task,
    Token,
)
from streams.nodes.service import started
from streams.rows import Row, rebuild
from streams.topology import EachWork, Topology
from streams.walk import dropped

T = TypeVar("T")

Service = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""A service's function: the input record to the output record. It raises ServiceFailed to fail."""


class ServiceFailed(Exception):
    """What a service raises in a test to fail with this fault."""

    def __init__(self, reason: str, fault: Fault = Fault.SERVICE) -> None:
        self.fault = fault
        super().__init__(reason)


@dataclass(frozen=True)
class Weather:
    """How badly the broker behaves, as probabilities; `fair` is a broker that never does."""

    shuffle: bool = False
    """Deliver in any order, not in the order of sending."""
    repeat: float = 0.0
    """Deliver a message a second time, at any later moment."""
    crash: float = 0.0
    """Stop a worker between two of its sends; its message is delivered again, its state is read from the log."""


FAIR = Weather()
STORM = Weather(shuffle=True, repeat=0.15, crash=0.15)


@dataclass
class Seen:
    """What a run left behind: its events in order of sending, its results, and each task that was sent."""

    events: list[Event] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    tokens: list[Token | Item] = field(default_factory=list)

    def client_events(self) -> list[Event]:
        """The events as a client sees them: each id once, and none after the last."""
        shown: dict[str, Event] = {}
        for event in self.events:
            shown.setdefault(event.id, event)
            if event.kind.terminal:
                break
        return list(shown.values())

    @property
    def end(self) -> Event | None:
        """The run's last event."""
        return next((event for event in self.events if event.kind.terminal), None)

    @property
    def output(self) -> Any:
        """The output of a finished run. Raises AssertionError with the reason when it did not finish."""
        end = self.end
        assert end is not None, "the run did not end"
        assert end.kind is EventKind.RUN_FINISHED, f"{end.kind}: {end.data}"
        return end.data["output"]


@dataclass
class Driver:
    """One pipeline and its services. `run` sends one request and delivers until nothing is left to deliver."""

    topology: Topology
    services: Mapping[str, Service]
    weather: Weather = FAIR
    seed: int = 0
    through: Callable[[Message], Message] = lambda message: message
    """What every message passes on its way; the real codec, to prove that nothing is lost in it."""
    now: float = 0.0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.seen = Seen()
        self._tasks: list[Task] = []
        self._flow: list[FlowMessage] = []
        self._first: FlowMessage | None = None  # what a crashed flow takes again before anything else
        self._timers: list[Timer] = []
        self._rows: dict[str, Mapping[str, Any]] = {}
        self._state: RunState | None = None
        self._aborted = False

    def run(self, input: Mapping[str, Any], cancel_after: int | None = None) -> Seen:
        """Run one request to its end. `cancel_after` cancels it after so many deliveries."""
        run = Run("run-1", self.topology.name, self.topology.digest, self.now + self.topology.timeout)
        self._flow.append(Start(run, input, "memory"))
        deliveries = 0
        while self._deliver():
            deliveries += 1
            if deliveries == cancel_after:
                self._flow.append(Stop(run.id, Ending.CANCEL))
        return self.seen

    def _deliver(self) -> bool:
        """Deliver one thing; when only time can help, let it pass to the next timer."""
        if self._first is not None:
            message, self._first = self._first, None
            self._take(message)
        elif self._tasks and (not self._flow or self.random.random() < 0.5):
            self._work(self._draw(self._tasks))
        elif self._flow:
            self._take(self._draw(self._flow))
        elif self._timers and not (self._state and self._state.done):
            timer = min(self._timers, key=lambda one: one.at)
            self._timers.remove(timer)
            self.now = max(self.now, timer.at)
            self._flow.append(timer.stop)
        else:
            return False
        return True

    def _draw(self, waiting: list[T]) -> T:
        message = waiting.pop(self.random.randrange(len(waiting)) if self.weather.shuffle else 0)
        if self.random.random() < self.weather.repeat:
            waiting.append(message)
        return message

    def _work(self, task: Task) -> None:
        if self._aborted:
            outcome = dropped("the run is ending")
            sends: list[Message] = []
        else:
            outcome = self._serve(task)
            sends = [started(task)]
        sends += advance(self.topology, task, outcome)
        survived = self._survives(len(sends))
        for message in sends[:survived]:
            self._send(message)
        if survived < len(sends):
            self._tasks.append(task)

    def _serve(self, task: Task) -> Outcome:
        try:
            return Outcome(Status.VALUE, dict(self.services[task.service](task.input)))
        except ServiceFailed as error:
            return Outcome(Status.FAILED, failure=Failure(str(error), error.fault))

    def _take(self, message: FlowMessage) -> None:
        made = step(self.topology, self._state, message, self.now)
        effects: list[Message | Row] = [*made.before, *made.messages, *made.after]
        survived = self._survives(len(effects))
        for effect in effects[:survived]:
            if isinstance(effect, Row):
                self._write(effect)
            else:
                self._send(effect)
        if survived < len(effects):
            self._first = message
            self._state = self._rebuilt()
            return
        self._state = made.state
        self._timers.extend(made.timers)

    def _rebuilt(self) -> RunState | None:
        windows = {
            one.id: one.work.concurrency for one in self.topology.vertices.values() if isinstance(one.work, EachWork)
        }
        return rebuild("run-1", self._rows, windows) if self._rows else None

    def _write(self, row: Row) -> None:
        if row.value is None:
            self._rows.pop(row.row, None)
        else:
            self._rows[row.row] = row.value

    def _survives(self, effects: int) -> int:
        """How many effects a worker has before it is lost; all of them when it is not."""
        return self.random.randrange(effects) if effects and self.random.random() < self.weather.crash else effects

    def _send(self, message: Message) -> None:
        message = self.through(message)
        match message:
            case Task():
                self.seen.tasks.append(message)
                self._tasks.append(message)
            case Retry():
                self.seen.tasks.append(message.task)
                self._tasks.append(message.task)
            case Token() | Item():
                self.seen.tokens.append(message)
                self._flow.append(message)
            case Opened():
                self._flow.append(message)
            case Event():
                self.seen.events.append(message)
            case Result():
                self.seen.results.append(message)
            case Control(action=Action.ABORT):
                self._aborted = True
            case _:
                raise AssertionError(f"nobody sends {message}")
