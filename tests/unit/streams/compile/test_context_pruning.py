"""What travels along edges."""

from streams.language.topology import EachWork, Topology
from tests.unit.streams.compiling import pipeline


def edges(topology: Topology) -> dict[str, set[str]]:
    """Every edge with what it carries: `a → b`."""
    inside = {
        f"{vertex.id} → {edge.target}": set(edge.carry)
        for vertex in topology.vertices.values()
        for edge in vertex.targets
    }
    entry = {f"→ {edge.target}": set(edge.carry) for block in topology.blocks.values() for edge in block.entry}
    return inside | entry


def test_a_chain_carries_what_its_rest_reads() -> None:
    """An ancestor's value rides along the one edge, as long as somebody further on reads it."""
    topology = pipeline(
        """
nodes:
  a: {value: "${n}"}
  b: {value: "${a}"}
  c: {value: "${a + b}"}
output: {r: "${c}"}
"""
    )
    assert edges(topology) == {"→ a": {":n"}, "a → b": {"a"}, "b → c": {"a", "b"}, "c → $out": {"c"}}


def test_a_join_is_brought_each_key_by_one_edge() -> None:
    """What both sides of a diamond know travels with the first of them, also while its work goes on."""
    topology = pipeline(
        """
nodes:
  a: {service: calc, with: {x: "${n}"}}
  b: {service: calc, with: {x: "${a.v}"}}
  c: {service: calc, with: {x: "${a.v}"}}
output: {r: "${a.v + b.v + c.v}", n: "${n}"}
"""
    )
    carried = edges(topology)
    assert carried["b → $out"] == {":n", "a", "b"}
    assert carried["c → $out"] == {"c"}
    assert topology.vertices["b"].carried_keys == {":n", "a"}
    assert topology.vertices["c"].carried_keys == frozenset()


def test_every_edge_brings_values_that_another_may_not_bring() -> None:
    """A node that may go on with a part of its edges is brought all that it needs by each of them."""
    for option in ("wait: any", "deadline: 3s"):
        topology = pipeline(
            f"""
nodes:
  a: {{value: "${{n}}"}}
  b: {{value: "${{n + 1}}"}}
  c: {{value: "${{first(a, b, 0) + n}}", {option}}}
output: {{r: "${{first(c, 0)}}"}}
"""
        )
        carried = edges(topology)
        assert carried["a → c"] == {":n", "a"}
        assert carried["b → c"] == {":n", "b"}


def test_a_loop_splits_what_its_body_reads_from_what_is_read_after() -> None:
    """Item tasks carry what the body reads; the rest travels once, past the loop."""
    topology = pipeline(
        """
nodes:
  a: {value: "${n}"}
  b: {value: "${n + 1}"}
  e: {each: {x: "${[a, b]}"}, nodes: {i: {value: "${x + a}"}}, output: "${i}"}
output: {r: "${e}", b: "${b}"}
"""
    )
    work = topology.vertices["e"].work
    assert isinstance(work, EachWork)
    assert work.reads == {"a"}
    assert topology.vertices["e"].carried_keys == {"b"}
    carried = edges(topology)
    assert carried["→ e.i"] == {"a", "e:x"}
    assert carried["e.i → e.$out"] == {"e.i"}


def test_a_repeat_carries_its_state_and_what_the_next_round_reads() -> None:
    """State that every round makes anew does not ride through the body; state that stays does, if it is read."""
    topology = pipeline(
        """
nodes:
  a: {value: "${n}"}
  r:
    repeat: {s: 0, kept: 5, unread: 6}
    nodes: {i: {value: "${s + kept + a}"}}
    next: {s: "${i}"}
    max: 3
    output: "${i}"
output: {r: "${r}", n: "${n}"}
"""
    )
    assert edges(topology)["r.i → r.$out"] == {":n", "a", "r.i", "r:kept"}


def test_values_that_on_error_reads_travel_with_the_work() -> None:
    """A fallback is there when the node fails."""
    topology = pipeline(
        """
nodes:
  a: {value: "${n}"}
  b: {service: calc, with: {x: "${n}"}}
  c: {if: b.v > 1, then: {nodes: {i: {service: calc, with: {x: 1}}}, output: "${i.v}"}, else: {output: 1}, on_error: {use: "${a}"}}
output: {r: "${c}"}
"""
    )
    assert "a" in topology.vertices["c"].carried_keys
    assert edges(topology)["c.then.i → c.then.$out"] == {"a", "c.then.i"}


def test_only_a_failure_that_nothing_turns_is_fatal() -> None:
    """A failure inside a node with `on_error`, or of a node that a race can do without, does not end the run."""
    topology = pipeline(
        """
nodes:
  a: {service: calc, with: {x: 1}}
  b: {if: n > 1, then: {nodes: {i: {service: calc, with: {x: 1}}}, output: 1}, on_error: skip}
  c: {if: n > 1, then: {nodes: {i: {service: calc, with: {x: 1}}}, output: 1}}
  d: {service: calc, with: {x: 1}}
  e: {value: "${first(d.v, b, 1)}", wait: any}
output: {r: "${e}"}
"""
    )
    fatal = {name for name, vertex in topology.vertices.items() if vertex.fatal}
    assert {"a", "c", "c.then.i", "c.then.$out", "e", "$out"} <= fatal
    assert not fatal & {"b", "b.then.i", "b.then.$out", "d"}


def test_a_failure_that_may_come_too_late_to_matter_is_not_fatal() -> None:
    """A node whose deadline may have passed goes on without what fails afterwards."""
    topology = pipeline(
        """
nodes:
  a: {each: {x: "${[n]}"}, nodes: {i: {service: calc, with: {x: "${x}"}}}, output: "${i.v}"}
  b: {service: calc, with: {x: "${n}"}}
  c: {value: "${size(a) + b.v}", deadline: 3s, on_error: {use: 0}}
output: {r: "${c}"}
"""
    )
    fatal = {name for name, vertex in topology.vertices.items() if vertex.fatal}
    assert fatal == {"c", "$out"}
