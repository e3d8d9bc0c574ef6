"""Every history of a small straight run: all orders of what its agent, flow, its client and the clock do.

A worker or flow may be lost between any two of its effects; its service answers something else at each call.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from streams.compile import compile_pipeline
from streams.flow.advance import advance
from streams.flow.riding_events import always_rides, riding
from streams.flow.run import over, step
from streams.flow.run_state import Phase, RunState, phase_of
from streams.flow.state_rows import OPEN, Row, left_behind, rebuild
from streams.flow.straight import begin, result_of
from streams.flow.walk import dropped
from streams.language.topology import Topology
from streams.lifecycle import DEADLINE_PASSED
from streams.messages import (
    Control,
    Ending,
    Event,
    EventKind,
    FlowMessage,
    LogMessage,
    Message,
    Outcome,
    Result,
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
from tests.effort import by_effort
from tests.property.services import CONTRACTS

SINGLE = """
pipeline: small
timeout: 60s
input: {n: int}
nodes:
  a: {service: calc, with: {x: "${n}"}}
output: {r: "${a.v}"}
"""
TWICE = """
pipeline: twice
timeout: 60s
input: {n: int}
nodes:
  a: {service: calc, with: {x: "${n}"}}
  b: {service: calc, with: {x: "${a.v}"}}
output: {r: "${b.v}"}
"""
ALONE, CHAIN = compile_pipeline(SINGLE, CONTRACTS), compile_pipeline(TWICE, CONTRACTS)
CANCEL, DEADLINE = StopSignal("r", Ending.CANCEL), StopSignal("r", Ending.DEADLINE)


@dataclass(frozen=True)
class World:
    """Everything at one moment, and what may still go wrong."""

    topology: Topology = ALONE
    starts: int = 1
    """How often the run is still asked for."""
    cancels: int = 0
    repeats: int = 0
    """How often a task may still be delivered again."""
    losses: int = 0
    """How often flow may still be lost."""
    early: int = 1
    """How often a gateway or a worker may still publish what rides in a task before the task is done."""
    late: bool = False
    """Whether the deadline has passed."""
    log: tuple[Event, ...] = ()
    read: int = 0
    results: tuple[Result, ...] = ()
    tasks: tuple[Task, ...] = ()
    stops: tuple[StopSignal, ...] = ()
    aborted: bool = False
    calls: int = 0
    state: RunState | None = None
    timed: bool = False
    rows: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"{self.topology.name}-{self.starts}-{self.cancels}-{self.repeats}-{self.losses}"

    @property
    def key(self) -> str:
        """The same for worlds that go on alike."""
        log = [(event.kind, dict(event.data)) for event in self.log]
        told = [(result.kind, result.output, result.failure) for result in self.results]
        tasks = sorted(str((task.vertex, task.attempt, task.input, len(task.said))) for task in self.tasks)
        state = (phase_of(self.state), self.state and sorted(self.state.rows))
        left = (self.starts, self.cancels, self.repeats, self.losses, self.early, self.late)
        heard = (self.aborted, self.timed, self.read)
        stops = sorted(stop.ending for stop in self.stops)
        return repr((log, told, tasks, state, left, heard, stops, sorted(self.rows), self.calls))

    def sent(self, messages: Sequence[Message | Row]) -> "World":
        """The world after these were sent and written."""
        world = self
        for message in messages:
            match message:
                case Event():
                    world = replace(world, log=(*world.log, message))
                case Task():
                    world = replace(world, tasks=(*world.tasks, message))
                case Result():
                    world = replace(world, results=(*world.results, message))
                case Control():
                    world = replace(world, aborted=True)
                case Row(value=None):
                    world = replace(world, rows={row: value for row, value in world.rows.items() if row != message.row})
                case Row():
                    world = replace(world, rows={**world.rows, message.row: message.value})
                case _:
                    raise AssertionError(f"a straight run sends no {message}")
        return world


def following(world: World) -> Iterator[World]:
    """What may be next; nothing when all is done and nothing more goes wrong."""
    if world.starts:
        run = Run("r", world.topology.name, world.topology.digest, 60.0, straight=True)
        yield replace(world, starts=world.starts - 1).sent(begin(world.topology, Start(run, {"n": 1})))
    for number, task in enumerate(world.tasks):
        yield from worked(replace(world, tasks=(*world.tasks[:number], *world.tasks[number + 1 :])), task)
    for number, stop in enumerate(world.stops):
        rest = replace(world, stops=(*world.stops[:number], *world.stops[number + 1 :]))
        yield from taken(rest, world, stop)
    for task in world.tasks if world.early else ():
        yield replace(world, early=world.early - 1).sent(task.said)
    news, place = next_news(world)
    if news is not None:
        yield from taken(replace(world, read=place + 1), world, news)
    if phase_of(world.state) is Phase.OPEN and OPEN not in world.rows:
        yield from taken(world, world, RunLasts("r"))
    yield from wrong(world)


def wrong(world: World) -> Iterator[World]:
    """What nobody needs: a cancellation, a deadline, a flow that is lost."""
    if world.cancels:
        yield replace(world, cancels=world.cancels - 1, stops=(*world.stops, CANCEL))
    if not world.late:
        yield replace(world, late=True)
    elif world.timed:
        yield replace(world, timed=False, stops=(*world.stops, DEADLINE))
    if world.losses:
        yield from lost(world)


def worked(world: World, task: Task) -> Iterator[World]:
    """A worker does a task, or drops it; it may be lost between any two of its records, and after the last."""
    ends = always_rides(world.topology, task.vertex)
    answer = Outcome(Status.VALUE, {"v": world.calls if ends else 0, "items": []})  # stored where something follows
    hops = [(replace(world, calls=world.calls + ends), [started(task), *advance(world.topology, task, answer)])]
    if world.aborted:
        hops.append((world, advance(world.topology, task, dropped("the run is ending"))))
    if world.late:
        hops.append((world, advance(world.topology, task, dropped(DEADLINE_PASSED))))
    for before, messages in hops:
        for rides in {not ends, False}:
            yield from published(before, task, riding(task, messages, rides=rides))


def published(world: World, task: Task, hop: Sequence[Message]) -> Iterator[World]:
    """A worker publishes a hop: its events in one record, then the next task."""
    events = [message for message in hop if isinstance(message, Event)]
    yield world.sent(hop)
    if world.repeats:
        again = replace(world, repeats=world.repeats - 1, tasks=(*world.tasks, task))
        yield from (again, again.sent(events), again.sent(hop))


def taken(rest: World, world: World, message: FlowMessage | LogMessage) -> Iterator[World]:
    """Flow takes a message; it may be lost between any two of the effects, and then the message is still there."""
    result = step(world.topology, copy.deepcopy(world.state), message, 60.0 if world.late else 0.0)
    effects: list[Message | Row] = [*result.before, *result.messages, *result.after]
    timed = (rest.timed or bool(result.timers)) and not over(result.state)
    yield replace(rest.sent(effects), state=result.state, timed=timed)
    if world.losses:
        for number in range(1, len(effects) + 1):
            yield from lost(world.sent(effects[:number]))


def lost(world: World) -> Iterator[World]:
    """Another flow takes over: it knows the rows, and reads the log from what was not acknowledged, or from before that."""
    for row in left_behind("r", world.rows):
        world = world.sent([row])
    state = rebuild("r", world.rows, {}) if world.rows else None
    began = next((place for place, event in enumerate(world.log) if event.kind is EventKind.ACCEPTED), world.read)
    place = world.read if over(state) or OPEN in world.rows else min(began, world.read)
    timed = phase_of(state) is Phase.OPEN
    for read in {0, place}:
        yield replace(world, losses=world.losses - 1, state=state, read=read, timed=timed)


def next_news(world: World) -> tuple[LogMessage | None, int]:
    """What flow reads next, and where it stands in the log."""
    for place, event in enumerate(world.log[world.read :], world.read):
        if event.kind is EventKind.ACCEPTED:
            return RunBegan(event.run), place
        if event.kind.terminal:
            return RunEnded(event), place
    return None, len(world.log)


def at_rest(world: World) -> bool:
    """Whether nothing is left to do, if nothing goes wrong any more."""
    return not (world.starts or world.tasks or world.stops or next_news(world)[0])


def check(world: World) -> None:
    """A result is that of the first end; a run whose task is gone has ended, and flow keeps nothing but its marker."""
    end = next((event for event in world.log if event.kind.terminal), None)
    assert all(end and result == result_of(end) for result in world.results), f"{end} and {world.results}"
    if world.log:
        assert world.log[0].kind is EventKind.ACCEPTED
    if at_rest(world):
        assert end is not None, "it is stuck"
        assert world.results, "no result"
        assert world.rows.keys() == {"done"}
        assert over(world.state)


def explore(first: World) -> int:
    """Go through every history and return how many different worlds there are."""
    seen, waiting = {first.key}, [first]
    while waiting:
        world = waiting.pop()
        check(world)
        for after in following(world):
            if after.key not in seen:
                seen.add(after.key)
                waiting.append(after)
    return len(seen)


FEW = (
    World(cancels=1, losses=1),
    World(repeats=1, losses=1),
    World(cancels=1, repeats=1),
    World(starts=2, cancels=1),
    World(CHAIN, cancels=1),
    World(CHAIN, repeats=1),
)
MANY = (
    World(cancels=1, repeats=1, losses=1),
    World(starts=2, cancels=1, losses=1),
    World(cancels=1, losses=2),
    World(repeats=1, losses=2),
    World(repeats=2, losses=1),
    World(cancels=2, repeats=2),
    World(CHAIN, cancels=1, losses=1),
    World(CHAIN, repeats=1, losses=1),
    World(CHAIN, cancels=1, repeats=1),
)
WORLDS = FEW + MANY[: by_effort(quick=0, thorough=len(MANY))]


@pytest.mark.parametrize("first", WORLDS, ids=repr)
def test_no_history_sets_a_result_against_what_clients_see(first: World) -> None:
    """Whatever comes first, there is one end, the first in the log, and the result says it."""
    assert explore(first) > 100
