"""Straight runs: begun where they are asked for, ended by their last agent. Clients and results agree in every history."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streams.compile import compile_pipeline
from streams.flow.riding_events import always_rides
from streams.messages import EventKind, Outcome, Task
from streams.testing.driver import FAIR, STORM, Weather
from tests.property.effort import effort
from tests.property.harness import Straight, Watched, agrees, check_straight, check_told, compiled, meaning, shown
from tests.property.oracle import Given
from tests.property.pipelines import Case, Shape, cases
from tests.property.services import CONTRACTS
from tests.property.test_budgets import cost, limited
from tests.property.test_codec import Exact

SEEDS = st.integers(0, 2**16)
CHAINS = cases(Shape(any_of=False, chain=True))
SLOW = Weather(shuffle=True, repeat=0.15, crash=0.15, deaf=0.3, hurry=0.15)
"""A storm in which the run's deadline may pass at any moment."""
WEATHERS = {"fair": FAIR, "storm": STORM, "slow": SLOW}
TURNS = 4
"""Storms that each pipeline goes through."""


@effort
@given(case=CHAINS)
def test_a_straight_run_means_what_its_pipeline_says(case: Case) -> None:
    """It ends as the plain interpreter says, without a message to flow, and leaves one row."""
    topology = compiled(case)
    assert topology.straight
    driver = Straight(topology)
    seen = driver.run(case.input)
    means = meaning(case)
    assert agrees(seen, means.end), f"{shown(seen)} is not {means.end}"
    check_straight(driver)
    assert not seen.tokens
    assert not any(key[0] is not Task for key in driver.sent)
    if isinstance(means.end, Given):
        check_told(seen, means)


@effort
@given(case=CHAINS, seed=SEEDS)
def test_no_weather_changes_a_straight_run(case: Case, seed: int) -> None:
    """Under any order, repetition and crash, and with flow lost at any moment, nothing that is told changes."""
    topology = compiled(case)
    means = meaning(case)
    for turn in range(TURNS):
        driver = Straight(topology, weather=STORM, seed=seed + turn)
        seen = driver.run(case.input)
        assert agrees(seen, means.end), f"{shown(seen)} is not {means.end}"
        check_straight(driver)
        if isinstance(means.end, Given):
            check_told(seen, means)


@effort
@given(case=CHAINS)
def test_a_straight_run_tells_what_any_other_run_tells(case: Case) -> None:
    """Beginning it elsewhere changes neither what a client reads nor the result."""
    topology = compiled(case)
    straight, other = Straight(topology).run(case.input), Watched(topology).run(case.input)
    run = other.events[0].run
    assert [replace(event, run=run) for event in straight.client_events()] == other.client_events()
    assert [replace(result, run=run) for result in straight.results] == other.results


@effort
@given(case=CHAINS, seed=SEEDS)
def test_a_straight_run_is_the_same_through_the_codec(case: Case, seed: int) -> None:
    """Every event that rides in a task is read as it was written."""
    topology = compiled(case)
    driver = Straight(topology, weather=STORM, seed=seed, through=Exact(topology))
    assert agrees(driver.run(case.input), meaning(case).end)
    check_straight(driver)


@effort
@given(case=CHAINS, when=st.integers(0, 1000), seed=SEEDS, weather=st.sampled_from(sorted(WEATHERS)))
def test_a_cancelled_straight_run_ends_once(case: Case, when: int, seed: int, weather: str) -> None:
    """Cancelled at any moment, it is cancelled, or ends as it would have ended, or at its deadline."""
    topology = compiled(case)
    deliveries = Straight(topology, weather=WEATHERS[weather], seed=seed).count(case.input)
    driver = Straight(topology, weather=WEATHERS[weather], seed=seed)
    seen = driver.run(case.input, cancel_after=when % (deliveries + 1))
    check_straight(driver, races=True)
    assert seen.end is not None
    overdue = weather == "slow" and seen.end.data.get("reason") == "the run's deadline passed"
    if seen.end.kind is not EventKind.RUN_CANCELLED and not overdue:
        assert agrees(seen, meaning(case).end), shown(seen)


@effort
@given(case=CHAINS, seed=SEEDS)
def test_a_straight_run_meets_its_deadline_at_any_moment(case: Case, seed: int) -> None:
    """It fails at its deadline, or ends as it would have ended."""
    topology = compiled(case)
    means = meaning(case)
    for turn in range(TURNS):
        driver = Straight(topology, weather=SLOW, seed=seed + turn)
        seen = driver.run(case.input)
        check_straight(driver, races=True)
        assert seen.end is not None
        if seen.end.data.get("reason") != "the run's deadline passed":
            assert agrees(seen, means.end), f"{shown(seen)} is not {means.end}"


@effort
@given(case=CHAINS, away=st.sampled_from(["calc", "flaky", "picky"]), cancel=st.sampled_from([None, 0, 1]), seed=SEEDS)
def test_a_straight_run_without_a_worker_fails_at_its_deadline_only(
    case: Case, away: str, cancel: int | None, seed: int
) -> None:
    """Its follower publishes its first event, so flow knows of it: it meets its deadline, and can be cancelled."""
    topology = compiled(case)
    driver = Straight(topology, weather=STORM, seed=seed)
    driver.services = {name: service for name, service in driver.services.items() if name != away}
    seen = driver.run(case.input, cancel_after=cancel)
    check_straight(driver, races=True)
    assert seen.end is not None
    if seen.end.kind is EventKind.RUN_CANCELLED:
        assert cancel is not None
    elif seen.end.data.get("reason") == "the run's deadline passed":
        assert cancel is None
        assert [task for task in seen.tasks if task.service == away]
        assert driver.now == topology.timeout
    else:
        assert agrees(seen, meaning(case).end), shown(seen)


@effort
@given(case=cases(Shape(any_of=False, chain=True, failing=False)), seed=SEEDS)
def test_a_straight_run_costs_what_any_other_run_costs(case: Case, seed: int) -> None:
    """It fits into the limit that the same run has over flow, and not into less."""
    topology = compiled(case)
    over_flow = Watched(topology)
    seen = over_flow.run(case.input)
    assume(seen.end is not None and seen.end.kind is EventKind.RUN_FINISHED)
    whole = cost(over_flow)
    assume(whole > 1)
    assert Straight(limited(topology, whole), weather=STORM, seed=seed).run(case.input).output == seen.output
    short = Straight(limited(topology, whole - 1), weather=STORM, seed=seed)
    end = short.run(case.input).end
    assert end is not None
    assert end.kind is EventKind.RUN_FAILED
    assert end.data["reason"] == f"more than {whole - 1:,} nodes, rounds and items, which is the run's limit"
    check_straight(short)


@dataclass
class Fickle(Straight):
    """A driver whose services answer something else at each call, and fail at times.

    What a service gave is stored where something may follow, as a worker stores it, and not where it ends the run.
    """

    stored: dict[tuple[object, ...], Outcome] = field(default_factory=dict)

    def serve(self, task: Task) -> Outcome:
        """Answer something else than before, or fail."""
        key = (task.vertex, task.at, task.attempt)
        if key in self.stored:
            return self.stored[key]
        changed = {**task.input, "x": self.random.randrange(1, 30)}
        names = [task.service] if not always_rides(self.topology, task.vertex) else ["calc", "broken", "picky"]
        outcome = super().serve(replace(task, service=self.random.choice(names), input=changed))
        if not always_rides(self.topology, task.vertex):
            self.stored[key] = outcome
        return outcome

    def agree(self, key: tuple[object, ...], message: object) -> None:
        """Let nothing be compared: another answer may lead to another task."""


@pytest.mark.parametrize("weather", WEATHERS)
@effort
@given(case=CHAINS, when=st.integers(-40, 40), seed=SEEDS)
def test_services_that_answer_otherwise_each_time_give_one_result(
    weather: str, case: Case, when: int, seed: int
) -> None:
    """Whichever end comes first in the log is what clients see and what the result says, cancelled or not."""
    topology = compiled(case)
    for turn in range(TURNS):
        driver = Fickle(topology, weather=WEATHERS[weather], seed=seed + turn)
        driver.run(case.input, cancel_after=when if when >= 0 else None)
        check_straight(driver, races=True)


CHAIN = """
pipeline: chain
input: {n: int}
nodes:
  a: {service: calc, with: {x: "${n}"}}
  b: {service: calc, with: {x: "${a.v}"}, retry: {attempts: 2, backoff: 1s}, on_error: {use: {v: -1, items: []}}}
output: {r: "${b.v}"}
"""


@effort
@given(weather=st.sampled_from(sorted(WEATHERS)), seed=st.integers(0, 2**32))
def test_the_end_that_clients_see_follows_from_what_they_were_told(weather: str, seed: int) -> None:
    """The node that ended the run gave just what the run gave, though another attempt gave something else."""
    driver = Fickle(compile_pipeline(CHAIN, CONTRACTS), weather=WEATHERS[weather], seed=seed)
    seen = driver.run({"n": 1})
    check_straight(driver, races=True)
    assert seen.end is not None
    if seen.end.kind is EventKind.RUN_FINISHED:
        (end,) = [event for event in seen.client_events() if event.vertex == "b" and event.kind.over]
        skipped = {"v": -1} if end.kind is EventKind.FAILED else end.data["output"]
        assert seen.end.data["output"] == {"r": skipped["v"]}
