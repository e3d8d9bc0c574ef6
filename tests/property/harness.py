"""A driver that watches itself: whatever the weather, what must hold of every step and every message is checked as it goes."""

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from streams.compile import compile_spec
from streams.flow.run_state import RunState
from streams.flow.straight import result_of
from streams.language.definition.model import PipelineSpec
from streams.language.definition.parse import parse
from streams.language.topology import Topology
from streams.lifecycle import NODE_ENDS
from streams.messages import (
    EventKind,
    Failure,
    Fault,
    FlowMessage,
    JoinToken,
    LoopItemDone,
    LoopOpened,
    Message,
    Outcome,
    Run,
    Status,
    Task,
)
from streams.testing.driver import Driver, Seen, ServiceFailed
from tests.property.oracle import Failed, Given, Meaning, outcomes
from tests.property.pipelines import Case
from tests.property.services import CONTRACTS, SERVICES

MOST_MEANINGS = 3000
"""Meanings of one run that are looked through; few have more than ten."""


def specs(case: Case) -> tuple[PipelineSpec, dict[str, PipelineSpec]]:
    """The case's files, read."""
    return parse(case.text, "outer.yaml"), {name: parse(text, f"{name}.yaml") for name, text in case.library.items()}


def compiled(case: Case) -> Topology:
    """The case's pipeline, compiled, and through its JSON."""
    spec, library = specs(case)
    topology = compile_spec(spec, CONTRACTS, library)
    again = Topology.from_json(topology.to_json())
    assert again == topology
    assert again.digest == topology.digest
    return again


@dataclass
class Watched(Driver):
    """Services that see the attempt; every message sent twice must be the same, and the log must tell the whole state."""

    services: Mapping[str, Any] = field(default_factory=lambda: SERVICES)
    compare_rows: bool = False
    sent: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    def serve(self, task: Task) -> Outcome:
        """One attempt, which always ends the same way."""
        try:
            return Outcome(Status.VALUE, SERVICES[task.service](task.input, task.attempt))
        except ServiceFailed as error:
            return Outcome(Status.FAILED, failure=Failure(str(error), error.fault))

    def send(self, message: Message | FlowMessage) -> None:
        """Check that nothing is said twice in two ways."""
        key: tuple[Any, ...] | None = None
        match message:
            case Task():
                key = (Task, message.vertex, message.at, message.attempt)
            case JoinToken():
                key = (JoinToken, message.join, message.at, message.edge)
            case LoopItemDone():
                key = (LoopItemDone, message.loop, message.at, message.index)
            case LoopOpened():
                key = (LoopOpened, message.loop, message.at)
        if key is not None:
            self.agree(key, message)
        super().send(message)

    def agree(self, key: tuple[Any, ...], message: Any) -> None:
        """The same message as before, if there was one. A task dropped as its run ends may have delivered already."""
        before = self.sent.setdefault(key, message)
        if before != message:
            dropped = any(sent.failure and sent.failure.fault is Fault.DROPPED for sent in (before, message))
            assert dropped, f"{key} was sent as\n{before}\nand as\n{message}"

    def count(self, input: Mapping[str, Any]) -> int:
        """How many deliveries a run takes."""
        deliveries = 0
        self.begin(input)
        while self.deliver():
            deliveries += 1
        return deliveries

    def take(self, message: FlowMessage) -> None:
        """Check that a worker that reads the log knows what this one knows."""
        super().take(message)
        if self.compare_rows:
            assert comparable(self.rebuilt()) == comparable(self.state)


@dataclass
class Straight(Watched):
    """A watched driver whose runs are straight. What rides in a task, and how much time a run has, may differ."""

    straight: bool = True

    def agree(self, key: tuple[Any, ...], message: Any) -> None:
        """Compare tasks by what is to be done."""
        if isinstance(message, Task):
            message = replace(message, said=(), run=replace(message.run, deadline=0.0))
        super().agree(key, message)


def comparable(state: RunState | None) -> RunState | None:
    """A state without what nobody needs to know of a run that is over."""
    return replace(state, run=Run("", "", "", 0.0), fatal=None) if state and state.done else state


def agrees(seen: Seen, allowed: Given | Failed) -> bool:
    """Whether a run ended as the oracle says it may."""
    end = seen.end
    assert end is not None, "the run did not end"
    if isinstance(allowed, Given):
        return end.kind is EventKind.RUN_FINISHED and bool(end.data["output"] == allowed.value)
    if end.kind is not EventKind.RUN_FAILED:
        return False
    return (end.data["fault"], end.data.get("at", "")) in allowed.reasons


def shown(seen: Seen) -> Mapping[str, Any]:
    """How a run ended, for a message."""
    return {"kind": seen.end.kind.value, **seen.end.data} if seen.end else {}


def meaning(case: Case) -> Meaning:
    """What the oracle says of a case that leaves no choice."""
    (only,) = _meanings(case, impatient=False)
    return only


def endings(case: Case, impatient: bool = False) -> list[Given | Failed]:
    """How the oracle lets a case end: in a different way for each way to decide, within reason."""
    ends: dict[str, Given | Failed] = {}
    for meaning in itertools.islice(_meanings(case, impatient), MOST_MEANINGS):
        ends.setdefault(repr(meaning.end), meaning.end)
    return list(ends.values())


def _meanings(case: Case, impatient: bool) -> Iterator[Meaning]:
    spec, library = specs(case)
    return outcomes(spec, case.input, CONTRACTS, SERVICES, library, impatient)


def told_to_client(seen: Seen) -> list[tuple[str, str, str]]:
    """What a client is told of how nodes ended, in no order."""
    return sorted(
        (event.path, NODE_ENDS[event.kind], json.dumps(event.data.get("output"), sort_keys=True))
        for event in seen.client_events()
        if event.kind in NODE_ENDS
    )


def check_told(seen: Seen, meaning: Meaning) -> None:
    """A client is told of the nodes what the interpreter saw: all that is certain, nothing else than what is possible."""
    told = told_to_client(seen)
    possible = {(one.path, one.kind, json.dumps(one.value, sort_keys=True)): one.certain for one in meaning.told}
    assert len(set(told)) == len(told), f"told twice: {told}"
    assert set(told) <= possible.keys(), f"told, and not so: {set(told) - possible.keys()}"
    certain = {one for one, sure in possible.items() if sure}
    assert certain <= set(told), f"not told: {certain - set(told)}"


def check_ending(driver: Driver, races: bool = False) -> None:
    """What holds of every run that is over. With `races`, nodes may still be at work when it ends."""
    seen, state = driver.seen, driver.state
    ends = [event for event in seen.events if event.kind.terminal]
    assert ends, "the run did not end"
    assert all(event == ends[0] for event in ends), "the run ended in two ways"
    shown = seen.client_events()
    assert shown[-1] == ends[0]
    check_client_events(seen)
    assert seen.results
    assert all(result == seen.results[0] for result in seen.results), "two results"
    assert seen.results[0].kind is ends[0].kind
    assert state is not None
    assert state.done is ends[0].kind
    assert driver.rows.keys() == {"done"}, "an ended run leaves one row"
    held = [state.joins, state.loops, state.since, state.closed, state.ended]
    assert not any(held), "an ended run is held in memory"
    if ends[0].kind is EventKind.RUN_FINISHED:
        assert not driver.aborted, "workers were told to drop tasks of a run that finished"
    if not races and ends[0].kind is EventKind.RUN_FINISHED:
        known = {event.id for event in shown}
        after = seen.events[seen.events.index(ends[0]) :]
        assert all(event.id in known for event in after), "something new was told after the end"


def check_straight(driver: Straight, races: bool = False) -> None:
    """What holds of every straight run that is over. With `races`, it may be ended in several ways at once."""
    seen, state = driver.seen, driver.state
    check_client_events(seen)
    assert seen.end is not None
    assert seen.results
    assert all(result == seen.results[0] for result in seen.results), "two results"
    end = seen.end
    assert seen.results[0] == result_of(end), "a result against what clients see"
    assert state is not None
    assert state.done is end.kind
    assert driver.rows == {"done": {"kind": end.kind.value, "opened": True}}
    assert not driver.tasks
    if not races:
        ends = {(event.kind, json.dumps(event.data, sort_keys=True)) for event in seen.events if event.kind.terminal}
        assert len(ends) == 1, f"it ended in several ways: {ends}"
        assert not driver.aborted, "workers were told to drop tasks of a run that nobody stopped"
        known = {event.id for event in seen.client_events()}
        assert {event.id for event in seen.events} == known, "something new was told after the end"


def check_client_events(seen: Seen) -> None:
    """What a client reads of a run that is over: it begins, each thing is said once, and the end comes last."""
    shown = seen.client_events()
    assert shown[0].kind is EventKind.ACCEPTED
    assert [event for event in shown if event.kind.terminal] == [shown[-1]]
    assert len({event.id for event in shown}) == len(shown)
    over = [(event.vertex, event.at) for event in shown if event.kind.over]
    assert len(set(over)) == len(over), "a node execution ended twice"
