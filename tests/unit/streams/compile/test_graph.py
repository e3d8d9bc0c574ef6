"""Edges: order, cycles, reduction."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.compile.graph import Cycle, graph


def made(text: str, partial: str = "") -> dict[str, str]:
    """The reduced edges of `a: b c` lines, as text."""
    needs = {line[0]: frozenset(line[2:].split()) for line in text.split("\n")}
    graph_ = graph(needs, frozenset(partial))
    return {name: " ".join(sources) for name, sources in graph_.sources.items()}


@pytest.mark.parametrize(
    ("text", "partial", "edges"),
    [
        ("a:\nb: a\nc: a b", "", {"a": "", "b": "a", "c": "b"}),
        ("a:\nb:\nc: a b", "", {"a": "", "b": "", "c": "a b"}),
        ("a:\nb: a\nc: a\nd: a b c", "", {"a": "", "b": "a", "c": "a", "d": "b c"}),
        ("a:\nb: a\nc: b\nd: a c", "", {"a": "", "b": "a", "c": "b", "d": "c"}),
        # b goes on with the first of its edges: that it has ended says nothing of either
        ("a:\nz:\nb: a z\nc: a b", "b", {"a": "", "z": "", "b": "a z", "c": "a b"}),
        # … but what both of its edges imply is certain
        ("r:\na: r\nz: r\nb: a z\nc: r b", "b", {"r": "", "a": "r", "z": "r", "b": "a z", "c": "b"}),
        # a partial node leaves out what one of its edges waits for itself
        ("a:\nb: a\nc:\nd: a b c", "d", {"a": "", "b": "a", "c": "", "d": "c b"}),
    ],
)
def test_an_edge_that_another_implies_is_left_out(text: str, partial: str, edges: dict[str, str]) -> None:
    """The transitive reduction, with care where a node may go on before all have ended."""
    assert made(text, partial) == edges


def test_order_is_the_file_s_where_it_can_be() -> None:
    """Each node comes after what it needs, else as written."""
    graph_ = graph({"c": frozenset(), "a": frozenset("b"), "b": frozenset(), "d": frozenset("c")}, frozenset())
    assert graph_.order == ("c", "b", "a", "d")


def test_the_end_of_a_node_implies_the_ends_of_others() -> None:
    """The nodes that have ended for certain when one has."""
    needs = {"a": frozenset(), "b": frozenset(), "c": frozenset("ab"), "d": frozenset("c")}
    assert graph(needs, frozenset()).implied("d") == frozenset("abcd")
    assert graph(needs, frozenset("c")).implied("d") == frozenset("cd")


def test_a_cycle_has_its_chain() -> None:
    """The chain begins and ends with the same node, each needing the next."""
    needs = {"a": frozenset("b"), "b": frozenset("c"), "c": frozenset("a"), "d": frozenset("a")}
    with pytest.raises(Cycle) as caught:
        graph(needs, frozenset())
    chain = caught.value.chain
    assert chain[0] == chain[-1]
    assert all(after in needs[before] for before, after in itertools.pairwise(chain))
    assert str(caught.value) == f"cycle: {' → '.join(chain)}"


@given(st.lists(st.frozensets(st.integers(0, 11), max_size=5), max_size=12), st.frozensets(st.integers(0, 11)))
def test_the_reduction_loses_nothing(before: list[frozenset[int]], some: frozenset[int]) -> None:
    """What is certain after the reduction is what was certain before, and no edge that is left implies another."""
    needs = {str(at): frozenset(str(read) for read in reads if read < at) for at, reads in enumerate(before)}
    partial = frozenset(str(at) for at in some if at < len(before))
    graph_ = graph(needs, partial)
    for name, sources in graph_.sources.items():
        assert set(sources) <= needs[name]
        for source in needs[name]:
            assert any(source in graph_.implied(source) for source in sources)
        for source in sources:
            assert not any(source in graph_.implied(other) - {other} for other in sources if other != source)
