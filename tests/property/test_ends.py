"""However a run is ended, it ends once, and a client sees nothing after its end."""

from hypothesis import given
from hypothesis import strategies as st

from streams.messages import EventKind
from streams.testing.driver import FAIR, STORM, Weather
from tests.property.effort import effort
from tests.property.harness import Watched, agrees, check_ending, compiled, endings, meaning, shown
from tests.property.pipelines import Case, Shape, cases

SEEDS = st.integers(0, 2**16)
SLOW = Weather(shuffle=True, repeat=0.1, crash=0.1, deaf=0.3, hurry=0.15)
"""A storm in which any deadline may pass."""


@effort
@given(case=cases(Shape(any_of=True)), when=st.integers(0, 1000), seed=SEEDS, weather=st.sampled_from([FAIR, STORM]))
def test_a_cancelled_run_ends_once(case: Case, when: int, seed: int, weather: Weather) -> None:
    """A run that is cancelled at any moment is cancelled, or ends as it would have ended."""
    topology = compiled(case)
    whole = Watched(topology, weather=weather, seed=seed)
    deliveries = whole.count(case.input)
    driver = Watched(topology, weather=weather, seed=seed, compare_rows=True)
    seen = driver.run(case.input, cancel_after=when % (deliveries + 1))
    check_ending(driver, races=True)
    assert seen.end is not None
    if seen.end.kind is not EventKind.RUN_CANCELLED:
        assert any(agrees(seen, ending) for ending in endings(case)), shown(seen)


@effort
@given(case=cases(Shape(any_of=True, deadline=True)), seed=SEEDS)
def test_a_deadline_at_any_moment_is_one_of_the_ways_to_end(case: Case, seed: int) -> None:
    """A node's deadline makes it fail with its `on_error`, the run's deadline fails the run; nothing else changes."""
    topology = compiled(case)
    allowed = endings(case, impatient=True)
    for turn in range(4):
        driver = Watched(topology, weather=SLOW, seed=seed + turn, compare_rows=turn == 0)
        seen = driver.run(case.input)
        check_ending(driver, races=True)
        assert seen.end is not None
        if seen.end.data.get("reason") != "the run's deadline passed":
            assert any(agrees(seen, ending) for ending in allowed), f"{shown(seen)} is none of {allowed}"


@effort
@given(case=cases(Shape(any_of=False)), away=st.sampled_from(["calc", "flaky", "picky"]), seed=SEEDS)
def test_a_run_without_a_worker_fails_at_its_deadline_only(case: Case, away: str, seed: int) -> None:
    """A service that nobody serves holds a run up until its deadline; a run that does not need it ends as ever."""
    topology = compiled(case)
    driver = Watched(topology, weather=STORM, seed=seed)
    driver.services = {name: service for name, service in driver.services.items() if name != away}
    seen = driver.run(case.input)
    check_ending(driver, races=True)
    means = meaning(case)
    waited = [task for task in seen.tasks if task.service == away]
    assert seen.end is not None
    if seen.end.data.get("reason") == "the run's deadline passed":
        assert waited
        assert driver.now == topology.timeout
    else:
        assert agrees(seen, means.end), f"{shown(seen)} is not {means.end}"
