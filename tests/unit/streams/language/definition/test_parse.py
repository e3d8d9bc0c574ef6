"""From YAML to the spec: the grammar."""

import pytest

from streams.errors import PipelineErrors
from streams.language.definition.model import NodeKind
from streams.language.definition.parse import duration, parse, suggest

EVERYTHING = """
pipeline: everything
summary: One node of every kind
input: {n: int}
timeout: 5m
retain: 7d
nodes:
  a: {service: calc, with: {x: 1}, retry: {attempts: 2, backoff: 1s}, timeout: 3s, summary: A call}
  b: {http: {url: x}, retry: {attempts: 1}, timeout: 1s}
  c: {value: 1, when: n > 1, on_error: skip, wait: all, deadline: 3s}
  d: {if: n > 1, then: {nodes: {inner: {value: 1}}, output: 1}, else: {output: 2}}
  e: {each: {x: [1]}, concurrency: 3, nodes: {}, output: 1}
  f: {repeat: {x: 1}, next: {x: 2}, until: x > 1, max: 2, nodes: {}, output: 1}
  g: {pipeline: other, with: {}}
output: {r: 1}
tests: [{name: one}]
"""


def test_every_kind_and_key_is_read() -> None:
    """A file with everything in it gives a spec with everything in it, in file order."""
    spec = parse(EVERYTHING, "f.yaml")
    assert spec.problems == ()
    assert (spec.name, spec.summary, spec.timeout, spec.retain) == (
        "everything",
        "One node of every kind",
        300.0,
        604800.0,
    )
    assert spec.tests == [{"name": "one"}]
    assert [node.kind for node in spec.block.nodes] == list(NodeKind)
    assert [node.name for node in spec.block.nodes] == list("abcdefg")
    by_name = {node.name: node for node in spec.block.nodes}
    assert by_name["a"].subject == "calc"
    assert by_name["d"].blocks.keys() == {"then", "else"}
    assert [node.name for node in by_name["d"].blocks["then"].nodes] == ["inner"]
    assert by_name["e"].blocks.keys() == by_name["f"].blocks.keys() == {""}
    assert by_name["g"].blocks == {}
    assert by_name["a"].place == ("nodes", "a")


def test_a_wrong_form_leaves_a_spec_with_its_problems() -> None:
    """What can be read is read, so that the compiler finds the rest; a node that cannot be is remembered by name."""
    spec = parse("pipeline: p\nnodes: {a: 5, b: {value: 1}}\noutput: {r: 1}\ntimeout: 0s\n", "f.yaml")
    assert [one.where for one in spec.problems] == ["timeout", "nodes.a"] or len(spec.problems) == 2
    assert spec.block.unread == {"a"}
    assert [node.name for node in spec.block.nodes] == ["b"]


@pytest.mark.parametrize("text", ["nodes: {}", "pipeline: A\noutput: 1", "pipeline: [x]\noutput: 1"])
def test_a_pipeline_without_a_name_is_read(text: str) -> None:
    """A name that is missing or wrong is one problem, and does not hide the others."""
    spec = parse(text)
    assert spec.name == ""
    assert "pipeline" in {one.where for one in spec.problems}


def test_a_mistyped_kind_is_read_as_it_was_meant() -> None:
    """The word is reported with the one that was meant, and the rest of the node is read."""
    spec = parse('pipeline: p\nnodes: {a: {serivce: x, with: {y: 1}}}\noutput: {r: "${a}"}\n')
    assert [(one.where, one.hint) for one in spec.problems] == [("nodes.a.serivce", "did you mean 'service'?")]
    (node,) = spec.block.nodes
    assert (node.kind, node.subject) == (NodeKind.SERVICE, "x")


@pytest.mark.parametrize("text", ["", "5", "[1]"])
def test_a_file_without_a_pipeline_has_no_spec(text: str) -> None:
    """Without a mapping there is nothing to go on with."""
    with pytest.raises(PipelineErrors):
        parse(text, "f.yaml")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("20s", 20.0),
        ("1.5 m", 90.0),
        ("2h", 7200.0),
        ("7d", 604800.0),
        (3, 3.0),
        (0.25, 0.25),
        ("3650d", 315360000.0),
        ("3651d", None),
        (1e308, None),
        ("9" * 400 + "s", None),
        ("0s", None),
        (0, None),
        (-1, None),
        (True, None),
        ("5", None),
        ("5 weeks", None),
        ("s", None),
        (None, None),
        ([], None),
    ],
)
def test_lengths_of_time(text: object, seconds: float | None) -> None:
    """A number with its unit, or a number of seconds; nothing at all is not a duration."""
    assert duration(text) == seconds


def test_suggestions() -> None:
    """The nearest word, or what there is, at most twelve of it."""
    assert suggest("aera", ["area", "zone"]) == "did you mean 'area'?"
    assert suggest("q", ["b", "a"]) == "there is a, b"
    assert suggest("q", map(str, range(20))).endswith(", …")
    assert suggest("q", []) == ""
