"""A run that repeats another one from a node on ends as it did, asks no service before that node, under any weather."""

from hypothesis import assume, given
from hypothesis import strategies as st

from streams.flow.replay import plan
from streams.language.topology import ServiceWork, Topology
from streams.messages import At, EventKind, Run, Start, Value
from streams.testing.driver import RUN, STORM, Seen
from tests.property.effort import effort
from tests.property.harness import Watched, agrees, check_ending, compiled, meaning
from tests.property.pipelines import Case, Shape, cases


def gave(seen: Seen, topology: Topology) -> dict[tuple[str, At], Value]:
    """What services gave in a run."""
    return {
        (event.vertex, event.at): event.data["output"]
        for event in seen.client_events()
        if event.kind is EventKind.FINISHED and isinstance(topology.vertices[event.vertex].work, ServiceWork)
    }


def broken(seen: Seen) -> set[str]:
    """Services that began and gave nothing."""
    ended = {(event.vertex, event.at) for event in seen.client_events() if event.kind is EventKind.FINISHED}
    return {
        event.vertex
        for event in seen.client_events()
        if event.kind is EventKind.STARTED and (event.vertex, event.at) not in ended
    }


@effort
@given(case=cases(Shape(any_of=False)), pick=st.integers(0, 2**16), seed=st.integers(0, 2**16))
def test_a_repeated_run_ends_as_the_first(case: Case, pick: int, seed: int) -> None:
    """Whatever node it begins at, the result is the one that the pipeline means, and nothing that was taken over is asked again."""
    topology = compiled(case)
    means = meaning(case)
    first = Watched(topology).run(case.input)
    services = sorted(name for name, vertex in topology.vertices.items() if isinstance(vertex.work, ServiceWork))
    assume(services)
    start = services[pick % len(services)]
    replay = plan(topology, case.input, gave(first, topology), broken(first), start)
    assert start not in {vertex for vertex, _ in replay.reused}
    driver = Watched(topology, weather=STORM, seed=seed, compare_rows=True)
    run = Run(RUN, topology.name, topology.digest, topology.timeout)
    driver.send(Start(run, replay.input, "again", replay.reused, {"replay_of": "run-0"}))
    while driver.deliver():
        pass
    assert agrees(driver.seen, means.end)
    check_ending(driver)
    assert not replay.reused.keys() & {(task.vertex, task.at) for task in driver.seen.tasks}
    assert driver.seen.events[0].data["replay_of"] == "run-0"
