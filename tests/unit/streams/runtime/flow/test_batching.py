"""Steps of flow that need no way through the log: the same end as with it, and rows that survive a crash anywhere."""

import itertools
from collections import deque

import pytest

from streams.compile import compile_pipeline
from streams.flow.advance import advance
from streams.flow.message_handler import Step
from streams.flow.run import step
from streams.flow.run_state import RunState
from streams.flow.state_rows import DONE, Row, left_behind, rebuild
from streams.language.topology import Topology
from streams.messages import (
    Event,
    EventKind,
    FlowMessage,
    JoinToken,
    Message,
    Outcome,
    Result,
    Run,
    Start,
    Status,
    Task,
)
from streams.runtime.flow.batching import merge_steps, whole_step
from tests.integration.support.sample_services import add_one

VALUES = """
pipeline: values
input: {n: int}
nodes:
  a: {value: "${n + 1}"}
  b: {value: "${n + 2}"}
  c: {value: "${a + b}"}
output: {n: "${c}"}
"""
SERVICES = """
pipeline: services
input: {n: int}
nodes:
  a: {service: add-one, with: {n: "${n}"}}
  b: {service: add-one, with: {n: "${n}"}}
  c: {value: "${a.n + b.n}"}
  d: {value: "${a.n - b.n}"}
  e: {value: "${c + d}"}
output: {n: "${e}"}
"""


def compiled(text: str) -> Topology:
    """A topology of a test."""
    return compile_pipeline(text, {"add-one": add_one.contract})


def play(
    topology: Topology, crash: int | None = None, most: int = 1
) -> tuple[list[Event], list[Result], dict[str, object]]:
    """Runs a pipeline to its end by whole steps, at most so many of them together. `crash`: after how many effects in all
    a worker is lost, once.
    """
    run = Run("r", topology.name, topology.digest, 1e12)
    rows: dict[str, object] = {}
    events: list[Event] = []
    results: list[Result] = []
    waiting: deque[FlowMessage | Task] = deque([Start(run, {"n": 1}, "test")])
    state: RunState | None = None
    left = crash
    while waiting:
        message = waiting[0]
        effects: list[Message | Row]
        taken, merged = 1, None
        if isinstance(message, Task):
            effects = list(advance(topology, message, Outcome(Status.VALUE, {"n": message.input["n"] + 1})))
        else:
            steps: list[Step] = []
            for queued in itertools.islice(waiting, most):
                if isinstance(queued, Task):
                    break
                steps.append(whole_step(topology, steps[-1].state if steps else state, queued, 0.0))
            taken, merged = len(steps), merge_steps(steps)
            effects = [*merged.before, *merged.messages, *merged.after]
        sent = len(effects) if left is None or left > len(effects) else left
        for effect in effects[:sent]:
            match effect:
                case Row():
                    rows.pop(effect.row, None) if effect.value is None else rows.update({effect.row: effect.value})
                case Event():
                    events.append(effect)
                case Result():
                    results.append(effect)
                case Task() | JoinToken():
                    waiting.append(effect)
        if sent < len(effects):
            left = None
            for row in left_behind("r", rows):
                rows.pop(row.row)
            state = rebuild("r", rows, {}) if rows else None  # type: ignore[arg-type]
            continue
        left = None if left is None else left - sent
        for _ in range(taken):
            waiting.popleft()
        state = merged.state if merged else state
    return events, results, rows


@pytest.mark.parametrize("text", [VALUES, SERVICES], ids=["values", "services"])
def test_nothing_but_the_end_is_left(text: str) -> None:
    """A run gives one result after one last event, and leaves one row."""
    events, results, rows = play(compiled(text))
    assert events[-1].kind is EventKind.RUN_FINISHED
    assert [result.output for result in results] == [events[-1].data["output"]]
    assert list(rows) == [DONE]


@pytest.mark.parametrize("most", [1, 2, 5])
@pytest.mark.parametrize("text", [VALUES, SERVICES], ids=["values", "services"])
def test_a_crash_anywhere_changes_nothing(text: str, most: int) -> None:
    """Whichever effect is the last before a worker is lost, the run ends once, with the same output, and leaves one row;
    also where messages that came at once are taken together.
    """
    topology = compiled(text)
    events, results, _ = play(topology)
    for crash in range(40):
        again, answers, rows = play(topology, crash, most)
        assert {event.id for event in again} == {event.id for event in events}, crash
        ends = [event for event in again if event.kind.terminal]
        assert {event.data["output"]["n"] for event in ends} == {events[-1].data["output"]["n"]}
        assert {answer.output["n"] for answer in answers if answer.output} == {results[0].output["n"]}  # type: ignore[index]
        assert list(rows) == [DONE], crash


def test_a_run_of_values_never_enters_the_log() -> None:
    """It ends where it began: no token is sent, and nothing but its end is written."""
    topology = compiled(VALUES)
    start = Start(Run("r", "values", topology.digest, 1e12), {"n": 1}, "test")
    whole = whole_step(topology, None, start, 0.0)
    assert whole.before == []
    assert not [sent for sent in whole.messages if isinstance(sent, JoinToken)]
    assert [row.row for row in whole.after if row.value is not None] == [DONE]
    assert any(isinstance(sent, JoinToken) for sent in step(topology, None, start, 0.0).messages)
