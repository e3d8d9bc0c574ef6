"""Loops of any length: none at all, and more than fit under way at once."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.compile import compile_pipeline
from streams.language.topology import EachWork
from streams.messages import FlowMessage, LoopItemDone, LoopOpened, Message, Task
from streams.testing.driver import FAIR, STORM, Weather
from tests.property.effort import effort
from tests.property.harness import Watched, check_ending, compiled
from tests.property.pipelines import Case, Shape, cases
from tests.property.services import CONTRACTS, SERVICES

LOOP = """
pipeline: long
limit: 40000
input: {xs: [int]}
nodes:
  every:
    each: {x: "${xs}"}
    concurrency: 16
    nodes:
      a: {service: calc, with: {x: "${x}"}}
      b: {service: calc, with: {x: "${a.v}", y: "${index}"}}
    output: "${b.v}"
output: {r: "${every}"}
"""


@dataclass
class Counting(Watched):
    """Counts the items of each loop that have begun and not ended, as flow sees it."""

    open: dict[tuple[str, tuple[int, ...]], set[int]] = field(default_factory=dict)
    ended: set[tuple[str, tuple[int, ...], int]] = field(default_factory=set)
    most: dict[str, int] = field(default_factory=dict)

    def send(self, message: Message | FlowMessage) -> None:
        """A task begins the items that it stands in."""
        if isinstance(message, Task):
            for depth, loop in enumerate(self.topology.vertices[message.vertex].loops):
                around, index = message.at[:depth], message.at[depth]
                if (loop, around, index) not in self.ended:
                    self.open.setdefault((loop, around), set()).add(index)
                    self.most[loop] = max(self.most.get(loop, 0), len(self.open[loop, around]))
        super().send(message)

    def take(self, message: FlowMessage) -> None:
        """An item ends when flow is told so."""
        if isinstance(message, LoopItemDone):
            self.ended.add((message.loop, message.at, message.index))
            self.open.get((message.loop, message.at), set()).discard(message.index)
        super().take(message)


def expected(xs: list[int]) -> list[int]:
    """What the loop gives."""
    return [
        SERVICES["calc"]({"x": SERVICES["calc"]({"x": x, "y": 7}, 1)["v"], "y": index}, 1)["v"]
        for index, x in enumerate(xs)
    ]


def test_a_loop_of_no_items_ends_at_once() -> None:
    """An empty list opens no loop: nothing but the run's own token passes through flow."""
    topology = compile_pipeline(LOOP, CONTRACTS)
    driver = Watched(topology)
    seen = driver.run({"xs": []})
    assert seen.output == {"r": []}
    assert not seen.tasks
    assert len(seen.tokens) == 1
    assert not any(key[0] is LoopOpened for key in driver.sent)


@pytest.mark.parametrize(
    ("items", "weather"),
    [
        pytest.param(10_000, FAIR, id="10000-fair"),
        pytest.param(10_000, Weather(shuffle=True, repeat=0.05, crash=0.0005), id="10000-shuffled"),
        pytest.param(300, STORM, id="300-storm"),
    ],
)
def test_no_more_items_are_under_way_than_the_loop_says(items: int, weather: Weather) -> None:
    """A long loop keeps to its `concurrency`, gives its outputs in order, and ends once."""
    topology = compile_pipeline(LOOP, CONTRACTS)
    driver = Counting(topology, weather=weather, seed=1)
    xs = [number % 50 for number in range(items)]
    seen = driver.run({"xs": xs})
    assert seen.output == {"r": expected(xs)}
    check_ending(driver)
    assert driver.most["every"] == 16


@effort
@given(case=cases(Shape(any_of=False)), seed=st.integers(0, 2**16))
def test_every_loop_keeps_to_its_window(case: Case, seed: int) -> None:
    """Wherever a loop stands, no more of its items are under way than it says."""
    topology = compiled(case)
    driver = Counting(topology, weather=STORM, seed=seed)
    driver.run(case.input)
    for loop, most in driver.most.items():
        work = topology.vertices[loop].work
        assert not isinstance(work, EachWork) or most <= work.concurrency
