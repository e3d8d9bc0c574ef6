"""An in-memory driver: the real `advance`, `flow` and records, and a broker that reorders, repeats and loses workers as one may.

It runs a compiled pipeline with Python functions in the place of services. Nothing of it waits: time is a number.
"""

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from streams.flow.advance import advance
from streams.flow.message_handler import Timer
from streams.flow.riding_events import riding
from streams.flow.run import over, step, timers
from streams.flow.run_state import RunState
from streams.flow.state_rows import OPEN, Row, left_behind, rebuild
from streams.flow.straight import begin
from streams.flow.walk import dropped
from streams.language.topology import Topology
from streams.lifecycle import DEADLINE_PASSED
from streams.messages import (
    Action,
    Control,
    Ending,
    Event,
    EventKind,
    Failure,
    Fault,
    FlowMessage,
    JoinToken,
    LogMessage,
    LoopItemDone,
    LoopOpened,
    Message,
    Outcome,
    Result,
    Retry,
    Run,
    RunBegan,
    RunEnded,
    RunLasts,
    Start,
    Status,
    StopSignal,
    Task,
)
from streams.nodes.service import started

T = TypeVar("T")

RUN = "run-1"
"""The id of the one run of a driver."""

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
    deaf: float = 0.0
    """Start a task of a run that is being aborted: its worker has not heard of it."""
    hurry: float = 0.0
    """Let time pass to the next timer before the next delivery: everything is slow."""


FAIR = Weather()
STORM = Weather(shuffle=True, repeat=0.15, crash=0.15, deaf=0.3)


@dataclass
class Seen:
    """What a run left behind: its events in order of sending, its results, and each task that was sent."""

    events: list[Event] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    tokens: list[JoinToken | LoopItemDone] = field(default_factory=list)

    def client_events(self) -> list[Event]:
        """Return the events as a client sees them: each id once, and none after the last."""
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
    """One pipeline and its services. `run` sends one request and delivers until nothing is left to deliver.

    A task for a service that is not among `services` waits, as it does without a live worker.
    """

    topology: Topology
    services: Mapping[str, Service]
    weather: Weather = FAIR
    seed: int = 0
    through: Callable[[Message | FlowMessage], Any] = lambda message: message
    """What every message passes on its way; the real codec, to prove that nothing is lost in it."""
    now: float = 0.0
    straight: bool = False
    """Begin the run where it is asked for, and let its last agent end it, if the topology is straight."""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.seen = Seen()
        self.state: RunState | None = None
        """What flow holds in memory."""
        self.rows: dict[str, Mapping[str, Any]] = {}
        """What the log holds."""
        self.tasks: list[Task] = []
        """Tasks that nobody has taken yet."""
        self._flow: list[FlowMessage] = []
        self._first: FlowMessage | None = None  # what a crashed flow takes again before anything else
        self._timers: list[Timer] = []
        self._starts: list[Start] = []
        """Requests for a straight run that nobody has begun yet."""
        self._read = 0
        """How many events of the log flow has read; it reads those of a straight run in their order."""
        self.aborted = False
        """Whether workers were asked to drop the run's tasks."""

    def run(self, input: Mapping[str, Any], cancel_after: int | None = None) -> Seen:
        """Run one request to its end. `cancel_after` cancels it after so many deliveries; 0 before it begins."""
        if cancel_after == 0:
            self.cancel()
        self.begin(input)
        deliveries = 0
        while self.deliver():
            deliveries += 1
            if deliveries == cancel_after:
                self.cancel()
        return self.seen

    def begin(self, input: Mapping[str, Any]) -> None:
        """Send the request."""
        deadline = self.now + self.topology.timeout
        run = Run(RUN, self.topology.name, self.topology.digest, deadline, straight=self._runs_straight)
        start = Start(run, input, "memory")
        if run.straight:
            self._starts.append(start)
        else:
            self.send(start)

    def cancel(self) -> None:
        """Ask for the end of the run."""
        self.send(StopSignal(RUN, Ending.CANCEL))

    def deliver(self) -> bool:
        """Deliver one thing; when only time can help, let it pass to the next timer. False when nothing is left."""
        ready = self._ready()
        ways = self._ways(ready)
        if self._first is not None:
            message, self._first = self._first, None
            self.take(message)
        elif self._timers and self._running and self._passes(bool(ways)):
            timer = min(self._timers, key=lambda timer: timer.at)
            self._timers.remove(timer)
            self.now = max(self.now, timer.at)
            self.send(timer.stop)
        elif ways:
            ways[int(self.random.random() * len(ways)) if len(ways) > 1 else 0]()
        else:
            return self._publish_unheard()
        return True

    def _ways(self, ready: Sequence[int]) -> list[Callable[[], None]]:
        """Return what may happen next, besides that time passes."""
        ways: list[Callable[[], None]] = []
        if ready:
            ways.append(lambda: self._work(self._draw(self.tasks, ready)))
        if self._flow:
            ways.append(lambda: self.take(self._draw(self._flow, range(len(self._flow)))))
        if self._starts:
            ways.append(self._begin_straight)
        if self._news() is not None:
            ways.append(self._read_log)
        return ways

    # Straight runs ---------------------------------------------------------------------------------------------

    @property
    def _runs_straight(self) -> bool:
        return self.straight and self.topology.straight

    def _begin_straight(self) -> None:
        """Begin the run where it is asked for, in one record. It may be asked for twice: then it may have more time."""
        start = self._draw(self._starts, range(len(self._starts)))
        run = replace(start.run, deadline=self.now + self.topology.timeout)
        if self._survives(1) == 0:
            self._starts.append(start)
            return
        for message in begin(self.topology, replace(start, run=run)):
            self.send(message)

    def _news(self) -> LogMessage | None:
        """Return what flow reads next in the log; None when there is nothing for it."""
        for event in self.seen.events[self._read :]:
            if event.run.straight and event.kind is EventKind.ACCEPTED:
                return RunBegan(event.run)
            if event.run.straight and event.kind.terminal:
                return RunEnded(event)
            self._read += 1
        return None

    def _read_log(self) -> None:
        """Let flow read on, or another worker take its place, or flow write the run down because it lasts."""
        chance = self.random.random()
        if chance < self.weather.repeat:
            self.take_over()
            return
        if chance < 2 * self.weather.repeat:
            self._carry_out(RunLasts(RUN))
        message, place = self._news(), self._read
        if message is not None and self._carry_out(message):
            self._read = place + 1

    def take_over(self) -> None:
        """Put another worker in the place of flow: it knows what the rows say, and reads again what is not acknowledged."""
        for row in left_behind(RUN, self.rows):
            self.write(row)
        self.state = self.rebuilt()
        self._timers = timers(self.topology, self.state) if self.state else []
        began = (place for place, event in enumerate(self.seen.events) if event.kind is EventKind.ACCEPTED)
        if not over(self.state) and OPEN not in self.rows:
            self._read = min(self._read, next(began, self._read))
        if self.random.random() < self.weather.repeat:
            self._read = self.random.randint(0, self._read)

    def _publish_unheard(self) -> bool:
        """Publish what nobody has heard of tasks that nobody takes, as a gateway does that follows the run. False without any."""
        heard = {event.id for event in self.seen.events}
        unheard = [event for task in self.tasks for event in task.said if event.id not in heard]
        for event in unheard:
            self.send(event)
        return bool(unheard)

    def _publish_early(self, task: Task) -> Task:
        """Publish what was said before a task that takes long, or that must wait; return the task without it."""
        for event in task.said:
            self.send(event)
        if self.random.random() < 0.5:
            self.send(started(task))
        return replace(task, said=())

    # ------------------------------------------------------------------------------------------------------------

    @property
    def _running(self) -> bool:
        return self.state is not None and not self.state.done

    def _passes(self, busy: bool) -> bool:
        """Whether time passes to the next timer before anything is delivered."""
        return not busy or (self.weather.hurry > 0 and self.random.random() < self.weather.hurry)

    def _drops(self, task: Task) -> bool:
        return self.aborted or self.now >= task.run.deadline

    def _ready(self) -> Sequence[int]:
        """Positions of the tasks that somebody takes."""
        if self.aborted or self.topology.services.keys() <= self.services.keys():
            return range(len(self.tasks))
        return [at for at, task in enumerate(self.tasks) if task.service in self.services or self._drops(task)]

    def _draw(self, waiting: list[T], ready: Sequence[int]) -> T:
        message = waiting.pop(ready[self.random.randrange(len(ready)) if self.weather.shuffle else 0])
        if self.random.random() < self.weather.repeat:
            waiting.append(message)
        return message

    def _work(self, task: Task) -> None:
        deaf = self.random.random() < self.weather.deaf and task.service in self.services
        doing = self._publish_early(task) if task.said and self.random.random() < self.weather.repeat else task
        if self._drops(task) and not deaf:
            reason = "the run is ending" if self.aborted else DEADLINE_PASSED
            sends = advance(self.topology, doing, dropped(reason))
        else:
            sends = [started(doing), *advance(self.topology, doing, self.serve(doing))]
        rides = not self.weather.shuffle or self.random.random() < 0.5
        records = _records(task.run, riding(doing, sends, rides=rides))
        survived = self._survives(len(records))
        for message in itertools.chain.from_iterable(records[:survived]):
            self.send(message)
        if survived < len(records):
            self.tasks.append(task)

    def serve(self, task: Task) -> Outcome:
        """One attempt of a service."""
        try:
            return Outcome(Status.VALUE, dict(self.services[task.service](task.input)))
        except ServiceFailed as error:
            return Outcome(Status.FAILED, failure=Failure(str(error), error.fault))

    def take(self, message: FlowMessage) -> None:
        """Let flow take one message, and lose it half-way when the weather is bad."""
        if self._carry_out(message):
            return
        if self._runs_straight:
            self._flow.insert(0, message)  # it may read the log before it takes this again
        else:
            self._first = message

    def _carry_out(self, message: FlowMessage | LogMessage) -> bool:
        """Carry out the step of one message; return False when flow was lost half-way."""
        next_step = step(self.topology, self.state, message, self.now)
        effects: list[Message | Row] = [*next_step.before, *next_step.messages, *next_step.after]
        survived = self._survives(len(effects))
        for effect in effects[:survived]:
            if isinstance(effect, Row):
                self.write(effect)
            else:
                self.send(effect)
        if survived < len(effects):
            self.take_over()
            return False
        self.state = next_step.state
        self._timers.extend(next_step.timers)
        return True

    def rebuilt(self) -> RunState | None:
        """Read the state of the run from the log; None when the log has no row of it."""
        return rebuild(RUN, self.rows, self.topology.windows) if self.rows else None

    def write(self, row: Row) -> None:
        """Keep a row in the log."""
        if row.value is None:
            self.rows.pop(row.row, None)
        else:
            self.rows[row.row] = row.value

    def _survives(self, effects: int) -> int:
        """How many effects a worker has before it is lost; all of them when it is not."""
        return self.random.randrange(effects) if effects and self.random.random() < self.weather.crash else effects

    def send(self, message: Message | FlowMessage) -> None:
        """Bring a message to where it is read."""
        message = self.through(message)
        match message:
            case Task():
                self.seen.tasks.append(message)
                self.tasks.append(message)
            case Retry():
                self.seen.tasks.append(message.task)
                self.tasks.append(message.task)
            case JoinToken() | LoopItemDone():
                self.seen.tokens.append(message)
                self._flow.append(message)
            case LoopOpened() | Start() | StopSignal():
                self._flow.append(message)
            case Event():
                self.seen.events.append(message)
            case Result():
                self.seen.results.append(message)
            case Control(action=Action.ABORT):
                self.aborted = True
            case _:
                raise AssertionError(f"nobody sends {message}")


def _records(run: Run, messages: Sequence[Message]) -> list[list[Message]]:
    """Return what is sent at once: each message alone, but the events of a straight run's hop together."""
    if not run.straight:
        return [[message] for message in messages]
    events: list[Message] = [message for message in messages if isinstance(message, Event)]
    others: list[list[Message]] = [[message] for message in messages if not isinstance(message, Event)]
    return [events, *others] if events else others
