"""What a run waits for, from what is known of it."""

from typing import Any

from streams.flow.explain import Why, waits
from streams.flow.run_state import RunState
from streams.language.expressions.condition_values import seen
from streams.language.expressions.expression import parse
from streams.language.topology import Topology
from streams.lifecycle import node_status
from streams.messages import Event, EventKind
from streams.testing.driver import Driver
from tests.unit.streams.compiling import SERVICES, pipeline, run

MEET = """
nodes:
  a: {service: calc, with: {x: "${n}"}}
  b: {service: calc, with: {x: "${n}", y: 1}}
  both: {service: calc, with: {x: "${a.v}", y: "${b.v}"}}
output: {v: "${both.v}"}
"""
NESTED = """
nodes:
  start: {service: calc, with: {x: "${n}"}}
  each_one:
    each: {i: "${start.items}"}
    concurrency: 2
    nodes:
      side:
        if: i > 0
        then: {nodes: {deep: {service: calc, with: {x: "${i}"}}}, output: "${deep.v}"}
        else: {output: "${i}"}
    output: "${side}"
  grow:
    repeat: {s: "${n}"}
    nodes: {more: {service: calc, with: {x: "${s}", y: 1}}}
    next: {s: "${more.v}"}
    max: 3
    output: "${more.v}"
output: {items: "${each_one}", grow: "${grow}"}
"""


def nodes(events: list[Event]) -> dict[str, dict[str, Any]]:
    """What a client sees of the nodes after these events."""
    seen: dict[str, dict[str, Any]] = {}
    for event in events:
        if event.kind.of_node:
            node = seen.setdefault(event.path, {"node": event.vertex})
            node.update(event.data, status=node_status(node.get("status"), event.kind), attempt=event.attempt)
            if event.kind is EventKind.RETRYING:
                node["retry"] = dict(event.data)
    return seen


class Stopped:
    """A run in which services serve until this many tasks have been done."""

    def __init__(self, topology: Topology, tasks: int, **inputs: Any) -> None:
        self.topology, self.given = topology, inputs
        self.driver = Driver(topology, SERVICES)
        self.driver.begin(inputs)
        while True:
            if self.driver._flow:
                self.driver.take(self.driver._flow.pop(0))
            elif tasks and self.driver.tasks:
                tasks -= 1
                self.driver._work(self.driver.tasks.pop(0))
            else:
                break

    def told(self, state: RunState | None = None, known: bool = True) -> list[tuple[Why, str]]:
        """What it waits for."""
        look = waits(self.topology, nodes(self.driver.seen.events), self.given, self.driver.state if known else state)
        return [(wait.why, wait.path) for wait in look]


def test_a_join_names_what_is_missing() -> None:
    """A join says which sources came and which did not, and what those wait for."""
    stopped = Stopped(pipeline(MEET), 1, n=1)
    assert stopped.told() == [(Why.JOIN, "both"), (Why.QUEUED, "b")]
    (join, _) = waits(stopped.topology, nodes(stopped.driver.seen.events), {"n": 1}, stopped.driver.state)
    assert join.data == {"missing": ["b"], "arrived": ["a"]}
    assert Stopped(pipeline(MEET), 0, n=1).told() == [(Why.JOIN, "both"), (Why.QUEUED, "a"), (Why.QUEUED, "b")]
    assert Stopped(pipeline(MEET), 2, n=1).told() == [(Why.QUEUED, "both")]


def test_a_run_that_is_over_waits_for_nothing_but_its_end() -> None:
    """When every node has ended, only flow can be missing."""
    seen_ = run(pipeline(MEET), n=1)
    (only,) = waits(pipeline(MEET), nodes(seen_.events), {"n": 1}, None)
    assert (only.why, only.path, only.node) == (Why.FLOW, "", "")


def test_loops_and_branches_are_looked_into() -> None:
    """A loop says how many items are outstanding and what each of them waits for; a branch only the side it takes."""
    stopped = Stopped(pipeline(NESTED), 2, n=4)
    assert sorted(stopped.told()) == [
        (Why.JOIN, ""),
        (Why.LOOP, "each_one"),
        (Why.QUEUED, "each_one[1].side.then.deep"),
        (Why.QUEUED, "each_one[2].side.then.deep"),
        (Why.QUEUED, "grow[1].more"),
    ]
    look = waits(stopped.topology, nodes(stopped.driver.seen.events), stopped.given, stopped.driver.state)
    loop = next(wait for wait in look if wait.why is Why.LOOP)
    assert loop.data == {"items": 4, "ended": 1, "under_way": 2, "not_begun": 1, "open": [1, 2]}


def test_without_the_state_of_flow_it_says_less() -> None:
    """What cannot be known is left out, and nothing is made up."""
    stopped = Stopped(pipeline(NESTED), 2, n=4)
    assert (Why.LOOP, "each_one") in stopped.told(None, known=False)


def test_a_failure_on_the_way_is_not_waited_for() -> None:
    """What only failed because something before it did is over as well."""
    text = MEET.replace('x: "${a.v}"', 'x: "${late.v}"').replace(
        "output:", '  late: {service: calc, with: {x: "${a.v}"}}\noutput:'
    )
    topology = pipeline(text)
    events: dict[str, dict[str, Any]] = {
        "a": {"node": "a", "status": "failed", "on_error": "fail"},
        "b": {"node": "b", "status": "started", "attempt": 1},
    }
    assert [(wait.why, wait.path) for wait in waits(topology, events, {"n": 1}, None)] == [
        (Why.JOIN, "both"),
        (Why.RUNNING, "b"),
    ]


def test_a_retry_says_when() -> None:
    """A node that is tried again says after which delay, which attempt that is, and why."""
    events: dict[str, dict[str, Any]] = {
        "a": {
            "node": "a",
            "status": "retrying",
            "retrying_at": "2026-01-01T00:00:00.000Z",
            "retry": {"reason": "no luck", "delay": 2.0, "next_attempt": 2},
        },
        "b": {"node": "b", "status": "finished", "output": {"v": 1}},
    }
    retry = waits(pipeline(MEET), events, {"n": 1}, None)[1]
    assert retry.why is Why.RETRY
    assert (retry.data["reason"], retry.data["delay"], retry.data["attempt"]) == ("no luck", 2.0, 2)


def test_a_long_chain_needs_no_depth() -> None:
    """Thousands of nodes in a row are looked through, not called through."""
    body = 'nodes:\n  n0: {value: "${n}"}\n' + "".join(
        f'  n{i}: {{value: "${{n{i - 1} + 1}}"}}\n' for i in range(1, 1500)
    )
    topology = pipeline(body + 'output: {v: "${n1499}"}')
    assert [wait.why for wait in waits(topology, {}, {"n": 1}, None)] == [Why.FLOW]


def test_a_skip_says_what_its_condition_read() -> None:
    """The event of a skipped node has the condition and the values that it read, kept small."""
    topology = pipeline(
        """
nodes:
  look: {service: calc, with: {x: "${n}"}}
  never: {service: calc, when: look.items.size() > 90, with: {x: 1}}
  after: {value: "${never.v}"}
  branch: {if: look.v == 0, then: {output: 1}}
output: {v: "${first(after, branch, 7)}"}
"""
    )
    skipped = {event.path: event.data for event in run(topology, n=80).events if event.kind is EventKind.SKIPPED}
    assert skipped["never"]["when"] == "look.items.size() > 90"
    assert skipped["never"]["values"] == {"look.items": "a list of 80"}
    assert skipped["after"]["missing"] == ["never"]
    assert (skipped["branch"]["if"], skipped["branch"]["values"]) == ("look.v == 0", {"look.v": 80})


def test_only_values_that_a_condition_reads_are_shown() -> None:
    """Only what it reads, by the path it reads it at; long texts are cut."""
    values = {"info": {"width": 3, "name": "x" * 500}, "faces": [{"a": 1}], "other": 9}
    assert seen(parse("info.width > 2 && 'info.name' != ''"), values) == {"info.width": 3}
    assert seen(parse("faces[0].a == info.width"), values) == {"faces[0].a": 1, "info.width": 3}
    assert seen(parse("faces.exists(f, f.a == 1)"), values) == {"faces": [{"a": 1}]}
    assert len(seen(parse("info.name == ''"), values)["info.name"]) == 200
