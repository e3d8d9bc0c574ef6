"""`pipeline:` nodes: inlined, isolated, checked."""

import pytest

from streams.errors import PipelineErrors
from tests.unit.streams.compiling import pipeline, run

INNER = """
pipeline: inner
input: {x: {type: int, minimum: 2}, y: {type: float, default: 1}}
nodes: {a: {service: calc, with: {x: "${x}"}}}
output: {r: "${a.v}", half: "${y / 2.0}"}
"""
OUTER = """
nodes:
  a: {value: "${n + 1}"}
  p: {pipeline: inner, with: {x: "${n}"}}
output: {r: "${p.r + a}", half: "${p.half}"}
"""


def test_it_is_inlined() -> None:
    """Its nodes stand under the node's name, and cost what they cost; inputs get their defaults and types."""
    seen = run(pipeline(OUTER, INNER), n=3)
    assert seen.output == {"r": 7, "half": 0.5}
    assert [task.path for task in seen.tasks] == ["p.a"]


def test_its_inputs_are_checked_as_a_request_s_are() -> None:
    """What its input does not allow fails the node before anything in it begins."""
    end = run(pipeline(OUTER, INNER), n=1).end
    assert end is not None
    assert (end.data["at"], end.data["reason"]) == ("p", "the input of inner is wrong: x: must be at least 2, got 1")


def test_the_same_pipeline_may_stand_twice_and_inside_another() -> None:
    """Each stands for itself, at its own place."""
    middle = """
pipeline: middle
input: {n: int}
nodes: {i: {pipeline: inner, with: {x: "${n}"}}, j: {pipeline: inner, with: {x: "${i.r + 1}"}}}
output: {r: "${i.r + j.r}"}
"""
    topology = pipeline('nodes: {m: {pipeline: middle, with: {n: "${n}"}}}\noutput: {r: "${m.r}"}', INNER, middle)
    seen = run(topology, n=5)
    assert seen.output == {"r": 11}
    assert [task.path for task in seen.tasks] == ["m.i.a", "m.j.a"]


def test_a_failure_inside_is_the_node_s_failure() -> None:
    """Its `on_error` applies, with what was known around it."""
    topology = pipeline(
        'nodes: {a: {value: "${n}"}, p: {pipeline: inner, with: {x: "${n}"}, on_error: {use: {r: "${a}", half: 0.0}}}}\n'
        'output: {r: "${p.r}"}',
        INNER,
    )
    assert run(topology, n=13).output == {"r": 13}
    assert run(topology, n=0).output == {"r": 0}
    assert run(topology, n=12).output == {"r": 12}


def test_pipelines_that_hold_the_one_before_twice_come_to_an_end() -> None:
    """Each is small; inlined they would be a million nodes."""
    inner = [
        f"""
pipeline: p{level}
input: {{n: int}}
nodes: {{i: {{pipeline: p{level - 1}, with: {{n: "${{n}}"}}}}, j: {{pipeline: p{level - 1}, with: {{n: "${{n}}"}}}}}}
output: {{r: "${{i.r + j.r}}"}}
"""
        for level in range(1, 18)
    ]
    lowest = 'pipeline: p0\ninput: {n: int}\noutput: {r: "${n}"}'
    with pytest.raises(PipelineErrors, match="with the pipelines in it, this one has more than 10,000 nodes"):
        pipeline('nodes: {m: {pipeline: p17, with: {n: "${n}"}}}\noutput: {r: "${m.r}"}', lowest, *inner)
