"""What a run may go through in all: the same number in every weather, and a run that goes one further fails in every weather."""

from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streams.compile import compile_pipeline
from streams.flow import message_handler
from streams.language.topology import Topology
from streams.lifecycle import NODE_ENDS
from streams.messages import EventKind, FlowMessage, LoopItemDone, Message, Task
from streams.testing.driver import FAIR, STORM, Weather
from tests.property.effort import effort
from tests.property.harness import Watched, check_ending, compiled
from tests.property.pipelines import Case, Shape, cases
from tests.property.services import CONTRACTS

NESTED = """
pipeline: nested
limit: 100000
input: {xs: [int], ys: [int]}
nodes:
  outer:
    each: {x: "${xs}"}
    concurrency: 1024
    nodes:
      inner:
        each: {y: "${ys}"}
        concurrency: 1024
        nodes: {a: {service: calc, with: {x: "${x}", y: "${y}"}}}
        output: "${a.v}"
    output: "${inner}"
output: {r: "${outer}"}
"""


def cost(driver: Watched) -> int:
    """What flow was told of a run, each message once."""
    return sum(getattr(message, "executions", 0) for key, message in driver.sent.items() if key[0] is not Task)


@effort
@given(case=cases(Shape(any_of=False, failing=False)), seed=st.integers(0, 2**16))
def test_no_weather_changes_what_a_run_costs(case: Case, seed: int) -> None:
    """Nodes, rounds and items are counted once however often they are delivered: a run fits into its own cost, not into less.

    (Where items fail, which others began before depends on what came first.)
    """
    topology = compiled(case)
    fair = Watched(topology)
    seen = fair.run(case.input)
    assume(seen.end is not None and seen.end.kind is EventKind.RUN_FINISHED)
    whole = cost(fair)
    assert whole >= len({event.id for event in seen.client_events() if event.kind in NODE_ENDS})
    storm = Watched(limited(topology, whole), weather=STORM, seed=seed, compare_rows=True)
    assert storm.run(case.input).output == seen.output
    assert cost(storm) == whole
    if whole > 1:
        short = Watched(limited(topology, whole - 1), weather=STORM, seed=seed, compare_rows=True)
        end = short.run(case.input).end
        assert end is not None
        assert end.kind is EventKind.RUN_FAILED
        assert end.data["reason"] == f"more than {whole - 1:,} nodes, rounds and items, which is the run's limit"
        check_ending(short)


def limited(topology: Topology, limit: int) -> Topology:
    """The same with another limit."""
    return msgspec.structs.replace(topology, limit=limit)


@dataclass
class Crowd(Watched):
    """Counts the items of all loops together that have begun and not ended."""

    under_way: set[tuple[str, tuple[int, ...]]] = field(default_factory=set)
    ended: set[tuple[str, tuple[int, ...]]] = field(default_factory=set)
    most: int = 0

    def send(self, message: Message | FlowMessage) -> None:
        """A task is at work in the item of the innermost loop."""
        if isinstance(message, Task):
            place = (self.topology.vertices[message.vertex].loops[-1], message.at)
            if place not in self.ended:
                self.under_way.add(place)
                self.most = max(self.most, len(self.under_way))
        super().send(message)

    def take(self, message: FlowMessage) -> None:
        """An item ends when flow is told so."""
        if isinstance(message, LoopItemDone):
            place = (message.loop, (*message.at, message.index))
            self.ended.add(place)
            self.under_way.discard(place)
        super().take(message)


@pytest.mark.parametrize(
    ("outer", "inner", "most"),
    [pytest.param(2, 60, 16, id="few-outside"), pytest.param(40, 10, 16, id="many-outside")],
)
@pytest.mark.parametrize("weather", [FAIR, Weather(shuffle=True, repeat=0.1, crash=0.002)], ids=["fair", "shuffled"])
def test_loops_in_loops_share_the_items_of_a_run(
    monkeypatch: pytest.MonkeyPatch, weather: Weather, outer: int, inner: int, most: int
) -> None:
    """However much is allowed to each, no more are at work than a run may have, as many as it may, and all of them in the end."""
    monkeypatch.setattr(message_handler, "ITEMS", 16)
    crowd = Crowd(compile_pipeline(NESTED, CONTRACTS), weather=weather, seed=3)
    seen = crowd.run({"xs": list(range(outer)), "ys": list(range(inner))})
    assert [len(row) for row in seen.output["r"]] == [inner] * outer
    assert crowd.most == most
    check_ending(crowd)
