"""A run gives what its YAML means, whatever the broker does to its messages."""

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from streams.testing.driver import FAIR, STORM, Weather
from tests.property.effort import effort
from tests.property.harness import (
    Watched,
    agrees,
    check_ending,
    check_told,
    compiled,
    endings,
    meaning,
    shown,
)
from tests.property.oracle import Given
from tests.property.pipelines import Case, Shape, cases

SEEDS = st.integers(0, 2**16)
TURNS = 4
"""Storms that each pipeline goes through."""


@effort
@given(case=cases(Shape(any_of=False)))
def test_a_run_means_what_its_pipeline_says(case: Case) -> None:
    """A run ends as the plain interpreter says, and tells of every node what the interpreter saw."""
    driver = Watched(compiled(case))
    seen = driver.run(case.input)
    means = meaning(case)
    assert agrees(seen, means.end), f"{shown(seen)} is not {means.end}"
    check_ending(driver)
    if isinstance(means.end, Given):
        check_told(seen, means)


@effort
@given(case=cases(Shape(any_of=False)), seed=SEEDS)
def test_no_weather_changes_a_run(case: Case, seed: int) -> None:
    """Under any order, repetition and crash, the result and what is told of the nodes stay the same."""
    topology = compiled(case)
    means = meaning(case)
    for turn in range(TURNS):
        driver = Watched(topology, weather=STORM, seed=seed + turn, compare_rows=turn == 0)
        seen = driver.run(case.input)
        note(f"seed {seed + turn}: {shown(seen)}")
        assert agrees(seen, means.end), f"{shown(seen)} is not {means.end}"
        check_ending(driver)
        if isinstance(means.end, Given):
            check_told(seen, means)


@pytest.mark.parametrize("weather", [FAIR, STORM], ids=["fair", "storm"])
@effort
@given(case=cases(Shape(any_of=True)), seed=SEEDS)
def test_a_race_ends_in_one_of_the_ways_that_its_pipeline_allows(weather: Weather, case: Case, seed: int) -> None:
    """With `wait: any`, a run ends as the interpreter says for some order of what it waits for."""
    topology = compiled(case)
    allowed = endings(case)
    for turn in range(TURNS if weather.shuffle else 1):
        driver = Watched(topology, weather=weather, seed=seed + turn, compare_rows=turn == 0)
        seen = driver.run(case.input)
        assert any(agrees(seen, ending) for ending in allowed), f"{shown(seen)} is none of {allowed}"
        check_ending(driver, races=True)
