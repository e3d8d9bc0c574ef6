"""What was said rides in the one message for flow that follows it."""

import itertools
from collections.abc import Mapping
from typing import Any

import pytest

from schemas.contracts import Contract
from streams.compile import compile_pipeline
from streams.flow.riding_events import always_rides, ride
from streams.messages import Context, Event, EventKind, JoinToken, LoopItemDone, Run, Status, Task
from streams.testing.driver import STORM, Driver
from tests.integration.support.sample_services import add_one

RUN = Run("r", "p", "d", 1e9)
SAID = Event(RUN, EventKind.STARTED, "a"), Event(RUN, EventKind.FINISHED, "a")
TOKEN = JoinToken(RUN, "$out", (), "a", Status.VALUE, Context())
ITEM = LoopItemDone(RUN, "loop", (), 0, Status.VALUE, 1)
TASK = Task(RUN, "b", (), "b", "calc", 1, {}, Context())
CONTRACTS: Mapping[str, Contract] = {"add-one": add_one.contract}


@pytest.mark.parametrize("only", [TOKEN, ITEM], ids=["token", "item"])
def test_events_travel_in_the_only_message_for_flow(only: JoinToken | LoopItemDone) -> None:
    """One record holds both, in the order in which it was said."""
    (ridden,) = ride([*SAID, only])
    assert isinstance(ridden, JoinToken | LoopItemDone)
    assert ridden.said == SAID


@pytest.mark.parametrize("others", [[TASK], [TOKEN, TASK], [TOKEN, ITEM], []], ids=["task", "two", "both", "none"])
def test_nothing_rides_where_something_else_follows(others: list[Any]) -> None:
    """A worker reads no events, and of two messages one may come without the other."""
    assert ride([*SAID, *others]) == [*SAID, *others]


PIPELINES = {
    "alone": ('  a: {service: add-one, with: {n: "${n}"}}', "${a.n}", True),
    "last of two": (
        '  b: {service: add-one, with: {n: "${n}"}}\n  a: {service: add-one, with: {n: "${b.n}"}}',
        "${a.n}",
        True,
    ),
    "first of two": (
        '  a: {service: add-one, with: {n: "${n}"}}\n  b: {service: add-one, with: {n: "${a.n}"}}',
        "${b.n}",
        False,
    ),
    "before a value": (
        '  a: {service: add-one, with: {n: "${n}"}}\n  b: {value: "${a.n + 1}"}',
        "${b}",
        False,
    ),
    "read by two": (
        (
            '  a: {service: add-one, with: {n: "${n}"}}\n  b: {service: add-one, with: {n: "${a.n}"}}\n'
            '  c: {service: add-one, with: {n: "${a.n}"}}'
        ),
        "${b.n + c.n}",
        False,
    ),
}


@pytest.mark.parametrize(("nodes", "output", "rides"), PIPELINES.values(), ids=PIPELINES)
def test_where_it_always_rides(nodes: str, output: str, rides: bool) -> None:
    """Only where a join comes next, and nothing else."""
    topology = compile_pipeline(
        f'pipeline: p\ninput: {{n: int}}\nnodes:\n{nodes}\noutput: {{r: "{output}"}}\n', CONTRACTS
    )
    assert always_rides(topology, "a") is rides


LOOP = """
pipeline: p
input: {ns: [int]}
nodes:
  e: {each: {n: "${ns}"}, nodes: {a: {service: add-one, with: {n: "${n}"}}}, output: "${a.n}"}
output: {r: "${e}"}
"""


def test_the_only_service_of_a_loop_rides_in_its_item() -> None:
    """An item is a message for flow as well."""
    assert always_rides(compile_pipeline(LOOP, CONTRACTS), "e.a")


@pytest.mark.parametrize("seed", range(40))
def test_a_service_that_answers_something_else_each_time_is_seen_once(seed: int) -> None:
    """Whatever comes twice and whoever dies: what is told of each node is what the run went on with."""
    numbers = itertools.count()
    topology = compile_pipeline(LOOP, CONTRACTS)
    driver = Driver(topology, {"add-one": lambda _: {"n": next(numbers)}}, weather=STORM, seed=seed)
    seen = driver.run({"ns": [0] * 8})
    ends = {
        client_event.at: client_event.data["output"]["n"]
        for client_event in seen.client_events()
        if client_event.kind is EventKind.FINISHED and client_event.at
    }
    assert seen.output == {"r": [ends[(at,)] for at in range(8)]}
