"""Mermaid diagrams of topologies."""

import pytest

from streams.compile import compile_pipeline
from streams.compile.library import load
from streams.language.topology import Topology
from streams.render.mermaid import mermaid
from tests.unit.streams.render.example import CONTRACTS, NESTED, compiled, shipped

BLUR_WOMEN = """\
flowchart TD
    in(["photo, strength"])
    n0["detect<br/>face-detect"]
    n1["traits<br/>face-analyze"]
    n2["blur<br/>image-blur<br/>when traits.faces.exists(face, face.gender == 'woman')"]
    n3(["image"])
    in --> n0
    n0 --> n1
    n1 --> n2
    n2 --> n3
"""

EVERYTHING = """\
flowchart TD
    in(["photo, wide"])
    n0["detect<br/>face-detect"]
    n1["info<br/>image-analyze"]
    subgraph n2["faces: each face"]
        n3["cut<br/>image-crop"]
        subgraph n4["fit"]
            n4_if{"face.area.width #gt; 100"}
            subgraph n4_then["then"]
                subgraph n5["shrunk: repeat until look.bytes #lt; 1000, at most 3 times"]
                    n6["half<br/>image-resize"]
                    n7["look<br/>image-analyze"]
                end
            end
            subgraph n4_else["else"]
                n10[/"its output"/]
            end
        end
    end
    n12["grey<br/>image-greyscale<br/>when info.width #gt; 10 #amp;#amp; #quot;x#quot; != #quot;#lt;y#gt;#quot;<br/>on error: skipped"]
    n13(["faces, picture, note"])
    in --> n0
    in --> n1
    n6 --> n7
    n4_if -- then --> n4_then
    n4_if -- else --> n4_else
    n3 --> n4
    n0 --> n2
    n1 --> n12
    n2 --> n13
    n12 --> n13
"""

RACE = """
pipeline: race
input: {photo: image}
nodes:
  fast: {service: image-greyscale, with: {image: "${photo}"}}
  slow: {service: image-convert, with: {image: "${photo}", format: png}}
  won: {value: "${first(fast.image, slow.image)}", wait: any}
  inner: {pipeline: to-jpg, with: {photo: "${won}"}}
output: {image: "${inner.image}"}
"""


def test_a_chain() -> None:
    """A box for each node with its service and condition, and an arrow for each edge, from input to output."""
    assert mermaid(shipped("blur-women")[0]) == BLUR_WOMEN


def test_loops_and_branches_are_frames_inside_each_other() -> None:
    """Loops, branches and their sides frame what is inside them; characters of the diagram's own are escaped."""
    assert mermaid(compiled(NESTED)) == EVERYTHING


def test_races_and_pipelines() -> None:
    """What waits for the first of several has dotted arrows; a pipeline inside a pipeline is a frame with its name."""
    drawn = mermaid(race())
    assert drawn.count("-.->") == 2
    assert '["inner: pipeline to-jpg"]' in drawn


@pytest.mark.parametrize("topology", shipped(), ids=lambda one: one.name)
def test_the_same_topology_gives_the_same_diagram(topology: Topology) -> None:
    """Through JSON and back, nothing of a diagram changes, and every box that an arrow names exists."""
    drawn = mermaid(topology)
    assert mermaid(Topology.from_json(topology.to_json())) == drawn
    lines = [line.strip() for line in drawn.splitlines()]
    made = {line.removeprefix("subgraph ").partition("[")[0].partition("(")[0].partition("{")[0] for line in lines}
    ends = [end for line in lines if "-->" in line for end in (line.split()[0], line.split()[-1])]
    assert set(ends) <= made


def race() -> Topology:
    """A race of two services, and a pipeline of the library."""
    return compile_pipeline(RACE, CONTRACTS, load(CONTRACTS).specs)
