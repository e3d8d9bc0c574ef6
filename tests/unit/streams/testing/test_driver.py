"""The in-memory driver."""

import pytest

from streams.messages import EventKind, Fault
from streams.testing.driver import STORM, Driver, ServiceFailed, Weather
from tests.unit.streams.compiling import SERVICES, pipeline, run

MADE = pipeline(
    """
timeout: 60s
nodes:
  a: {service: calc, with: {x: "${n}"}}
  b: {service: calc, with: {x: "${n}"}}
output: {r: "${a.v + b.v}"}
"""
)


def test_a_run_is_seen_whole() -> None:
    """Output, tasks, tokens, events and the result."""
    seen = run(MADE, n=2)
    assert seen.output == {"r": 4}
    assert [task.vertex for task in seen.tasks] == ["a", "b"]
    assert len(seen.tokens) == 2
    assert [event.kind for event in seen.client_events()] == [
        EventKind.ACCEPTED,
        *[EventKind.STARTED, EventKind.FINISHED] * 2,
        EventKind.RUN_FINISHED,
    ]
    assert len(seen.results) == 1


def test_the_same_seed_is_the_same_weather() -> None:
    """A failing run can be had again."""
    for seed in range(20):
        once, again = run(MADE, STORM, seed, n=2), run(MADE, STORM, seed, n=2)
        assert once == again
    assert any(len(run(MADE, STORM, seed, n=2).tasks) > 2 for seed in range(20))


def test_an_output_of_a_failed_run_says_why_there_is_none() -> None:
    """For a test's message."""
    with pytest.raises(AssertionError, match="13 is not taken"):
        assert run(MADE, n=13).output


def test_a_task_without_a_worker_waits() -> None:
    """Until somebody serves it, or the run's deadline."""
    driver = Driver(MADE, {})
    seen = driver.run({"n": 1})
    assert seen.end is not None
    assert seen.end.data["reason"] == "the run's deadline passed"
    assert driver.now == 60.0
    driver = Driver(MADE, {})
    driver.begin({"n": 1})
    driver.deliver()
    assert [task.vertex for task in driver.tasks] == ["a", "b"]
    driver.services = SERVICES
    while driver.deliver():
        pass
    assert driver.seen.output == {"r": 2}


def test_a_run_may_be_cancelled_at_any_delivery() -> None:
    """Before it begins, in the middle, and when it is too late."""
    kinds = []
    for after in range(8):
        end = Driver(MADE, SERVICES).run({"n": 1}, cancel_after=after).end
        assert end is not None
        kinds.append(end.kind)
    assert kinds[0] is kinds[2] is EventKind.RUN_CANCELLED
    assert kinds[-1] is EventKind.RUN_FINISHED


def test_a_service_may_fail_in_every_way() -> None:
    """The fault that it raises decides whether it is tried again."""

    def refuse(given: object) -> dict[str, object]:
        raise ServiceFailed("no", Fault.CALLER)

    seen = Driver(MADE, {"calc": refuse}).run({"n": 1})
    assert seen.end is not None
    assert seen.end.data["fault"] == "caller"
    assert all(task.attempt == 1 for task in seen.tasks)


CHAIN = pipeline('nodes: {a: {service: calc, with: {x: "${n}"}}}\noutput: {r: "${a.v}"}')


def test_a_straight_run_is_begun_and_ended_without_flow() -> None:
    """One task, no token; flow gives the result that the log says, and keeps a marker."""
    driver = Driver(CHAIN, SERVICES, straight=True)
    seen = driver.run({"n": 2})
    assert seen.output == {"r": 2}
    assert [event.kind for event in seen.events] == [
        EventKind.ACCEPTED,
        EventKind.STARTED,
        EventKind.FINISHED,
        EventKind.RUN_FINISHED,
    ]
    assert (len(seen.tasks), seen.tokens, len(seen.results)) == (1, [], 1)
    assert driver.rows.keys() == {"done"}


def test_other_pipelines_run_over_flow_all_the_same() -> None:
    """Straight is what may be; where paths meet, flow has to be asked."""
    driver = Driver(MADE, SERVICES, straight=True)
    assert driver.run({"n": 2}).output == {"r": 4}
    assert len(driver.seen.tokens) == 2


def test_flow_may_be_lost_at_any_moment_of_a_straight_run() -> None:
    """Its place is taken by a worker that reads the log again."""
    for when in range(8):
        driver = Driver(CHAIN, SERVICES, straight=True)
        driver.begin({"n": 2})
        for _ in range(when):
            driver.deliver()
        driver.take_over()
        while driver.deliver():
            pass
        assert driver.seen.output == {"r": 2}
        assert len(driver.seen.results) == 1


def test_hurried_time_meets_deadlines() -> None:
    """When all is slow, the run's deadline passes before its end."""
    ends = [Driver(MADE, SERVICES, Weather(hurry=0.5), seed).run({"n": 1}).end for seed in range(20)]
    assert {end.kind for end in ends if end} == {EventKind.RUN_FINISHED, EventKind.RUN_FAILED}
