"""The frozen form: its JSON, its digest, its paths."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streams.compile import compile_pipeline
from streams.language.topology import OUT, Topology, Wait, vertex_id
from tests.unit.streams.compiling import CONTRACTS, library, pipeline

GOLDEN = Path(__file__).parent / "golden" / "topology.json"

EVERYTHING = """
pipeline: everything
summary: One node of every kind
input:
  n: {type: int, default: 3, minimum: 0}
  photo: image
timeout: 5m
nodes:
  found: {service: detect, with: {image: "${photo}"}, retry: {attempts: 2, backoff: 500ms}, timeout: 20s}
  page: {http: {url: "http://localhost/${n}", headers: {accept: text/plain}}, on_error: skip}
  count: {value: "${size(found.faces)}", when: n > 0}
  side:
    if: n > 2
    then: {nodes: {more: {service: calc, with: {x: "${n}"}}}, output: "${more.v}"}
    else: {output: "${n}"}
  faces:
    each: {face: "${found.faces}"}
    concurrency: 8
    nodes: {part: {service: calc, with: {x: "${face.area.x}", y: "${index}"}}}
    output: "${part.v + side}"
  grown:
    repeat: {width: "${n}"}
    nodes: {step: {service: calc, with: {x: "${width}", y: 1}}}
    next: {width: "${step.v}"}
    until: step.v > 10
    max: 5
    output: "${step.v}"
  inner: {pipeline: inner, with: {x: "${n}"}}
  race: {value: "${first(count, inner.r, 0)}", wait: any, deadline: 10s, on_error: {use: 7}}
output:
  faces: "${faces}"
  grown: "${grown}"
  status: "${first(page.status, 0)}"
  race: "${race}"
"""
INNER = 'pipeline: inner\ninput: {x: int}\nnodes: {a: {value: "${x + 1}"}}\noutput: {r: "${a}"}\n'


def everything(text: str = EVERYTHING) -> Topology:
    """The pipeline with everything in it."""
    return compile_pipeline(text, CONTRACTS, library(INNER), "everything.yaml")


def test_the_frozen_form_stays_as_it_is() -> None:
    """The JSON of a topology is what runs that are under way were started with: it changes on purpose only.

    After a change on purpose, write `everything().to_json()` over the golden file.
    """
    assert json.loads(everything().to_json()) == json.loads(GOLDEN.read_text())


def test_a_topology_survives_its_json() -> None:
    """Read back, it is the same, with the same digest."""
    made = everything()
    again = Topology.from_json(made.to_json())
    assert again == made
    assert again.digest == made.digest
    assert len(made.digest) == 64


@pytest.mark.parametrize(
    "other",
    [
        EVERYTHING.replace("nodes:\n", "\n# a remark\nnodes:\n\n", 1),
        EVERYTHING.replace("  ", "    "),
        EVERYTHING.replace("{service: detect, with: {", "{with: {").replace(
            'image: "${photo}"}, retry', 'image: "${photo}"}, service: detect, retry'
        ),
        EVERYTHING.replace("output:\n  faces", "output:\n  # first\n  faces"),
        EVERYTHING.replace('"${faces}"', "${faces}").replace("until: step.v > 10", "until: 'step.v > 10'"),
        EVERYTHING.replace("timeout: 5m", "timeout: 300s"),
    ],
    ids=["remarks", "indentation", "order of keys", "remark in output", "quotes", "units"],
)
def test_form_does_not_change_the_digest(other: str) -> None:
    """Remarks, spaces, quotes and the order of keys change nothing."""
    assert other != EVERYTHING
    assert everything(other).digest == everything().digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("n > 2", "n > 3"),
        ("concurrency: 8", "concurrency: 9"),
        ("attempts: 2", "attempts: 3"),
        ("timeout: 5m", "timeout: 6m"),
        ("use: 7", "use: 8"),
        ("deadline: 10s", "deadline: 11s"),
        ("default: 3", "default: 4"),
        ("x + 1", "x + 2"),
    ],
)
def test_meaning_changes_the_digest(old: str, new: str) -> None:
    """Whatever changes what a run does changes the digest, also inside an inlined pipeline."""
    if old in INNER:
        other = compile_pipeline(EVERYTHING, CONTRACTS, library(INNER.replace(old, new)))
    else:
        other = everything(EVERYTHING.replace(old, new))
    assert other.digest != everything().digest


def test_a_service_s_new_version_is_another_topology() -> None:
    """A run stays on the contracts that it started with."""
    newer = {**CONTRACTS, "calc": replace(CONTRACTS["calc"], version="1.1.0")}
    assert compile_pipeline(EVERYTHING, newer, library(INNER)).digest != everything().digest


@pytest.mark.parametrize(
    ("vertex", "at", "path"),
    [
        ("found", (), "found"),
        ("side.then.more", (), "side.then.more"),
        ("faces.part", (3,), "faces[3].part"),
        ("faces.$out", (3,), "faces[3]"),
        ("grown.step", (2,), "grown[2].step"),
        ("inner.a", (), "inner.a"),
        ("side.then.$out", (), "side.then"),
        ("$out", (), "$out"),
    ],
)
def test_paths(vertex: str, at: tuple[int, ...], path: str) -> None:
    """A node execution is printed with the positions of the loops around it."""
    assert everything().path(vertex, at) == path


def test_nested_paths() -> None:
    """Each position stands behind its own loop."""
    made = pipeline(
        """
nodes:
  a:
    each: {x: [1]}
    nodes:
      b: {if: n > 1, then: {nodes: {c: {repeat: {s: 1}, nodes: {d: {value: 1}}, max: 2, output: 1}}, output: 1}, else: {output: 2}}
    output: 1
output: {r: 1}
"""
    )
    assert made.path("a.b.then.c.d", (4, 1)) == "a[4].b.then.c[1].d"
    assert made.vertices["a.b.then.c.d"].loops == ("a", "a.b.then.c")
    assert made.vertices["a.b.then.c.d"].name == "d"


STRAIGHT = {
    "nothing": 'output: {r: "${n}"}',
    "one service": 'nodes: {a: {service: calc, with: {x: "${n}"}}}\noutput: {r: "${a.v}"}',
    "one after another": """
nodes:
  a: {service: calc, with: {x: "${n}"}, on_error: skip}
  b: {value: "${first(a.v, 1) + n}", when: n > 0}
  c: {service: calc, with: {x: "${first(a.v, 1)}", y: "${first(b, 2)}"}}
output: {r: "${c.v + n}"}
""",
    "if": """
nodes:
  a:
    if: n > 1
    then: {nodes: {b: {service: calc, with: {x: "${n}"}}}, output: "${b.v}"}
    else: {nodes: {c: {service: calc, with: {x: 1}}}, output: "${c.v}"}
output: {r: "${a}"}
""",
    "repeat": """
nodes:
  a: {repeat: {s: "${n}"}, nodes: {b: {service: calc, with: {x: "${s}"}}}, next: {s: "${b.v}"}, max: 3, output: "${b.v}"}
output: {r: "${a}"}
""",
    "sub-pipeline": 'nodes: {a: {pipeline: inner, with: {x: "${n}"}}}\noutput: {r: "${a.r}"}',
}
BRANCHED = {
    "a join": """
nodes:
  a: {service: calc, with: {x: "${n}"}}
  b: {value: "${n}"}
  c: {value: "${a.v + b}"}
output: {r: "${c}"}
""",
    "a join at the end": """
nodes:
  a: {service: calc, with: {x: "${n}"}}
  b: {value: "${n}"}
output: {r: "${a.v + b}"}
""",
    "read by two": """
nodes:
  a: {service: calc, with: {x: "${n}"}}
  b: {value: "${a.v}"}
  c: {value: "${a.v}"}
output: {r: "${b}"}
""",
    "each": 'nodes: {a: {each: {x: "${[n]}"}, output: "${x}"}}\noutput: {r: "${a}"}',
    "a join inside": """
nodes:
  a:
    if: n > 1
    then: {nodes: {b: {value: "${n}"}, c: {service: calc, with: {x: 1}}}, output: "${b + c.v}"}
output: {r: "${first(a, 0)}"}
""",
}


@pytest.mark.parametrize("body", STRAIGHT.values(), ids=STRAIGHT)
def test_a_chain_of_nodes_is_straight(body: str) -> None:
    """Whatever its nodes are: nothing meets, nothing fans out. Nothing of that is in the JSON."""
    topology = pipeline(body, INNER)
    before = topology.to_json()
    assert topology.straight
    assert topology.to_json() == before
    assert b"straight" not in before
    assert Topology.from_json(before).straight


@pytest.mark.parametrize("body", BRANCHED.values(), ids=BRANCHED)
def test_what_meets_or_fans_out_is_not_straight(body: str) -> None:
    """One path in and one path out, everywhere."""
    assert not pipeline(body).straight


@pytest.mark.parametrize("changes", [{"wait": Wait.ANY}, {"deadline": 1.0}], ids=["any", "deadline"])
def test_an_end_that_may_come_early_is_not_straight(changes: dict[str, Any]) -> None:
    """Flow has to wait for it."""
    topology = pipeline(STRAIGHT["one service"])
    out = msgspec.structs.replace(topology.vertices[OUT], **changes)
    assert not msgspec.structs.replace(topology, vertices={**topology.vertices, OUT: out}).straight


def test_ids() -> None:
    """Blocks and nodes are joined by dots."""
    assert vertex_id("", "a") == "a"
    assert vertex_id("a.b", "c") == "a.b.c"


def test_nonsense_is_no_topology() -> None:
    """What is not a topology is refused, not half read."""
    with pytest.raises(msgspec.ValidationError):
        Topology.from_json(b'{"name": 5}')
