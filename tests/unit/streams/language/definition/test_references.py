"""Which names a node reads: what edges are inferred from."""

import pytest

from streams.language.definition.parse import parse
from streams.language.definition.references import node_reads


def reads(node: str) -> set[str]:
    """The names that a node reads from around it."""
    spec = parse(f"pipeline: p\nnodes:\n  z: {node}\noutput: {{r: 1}}\n", "f.yaml")
    return set(node_reads(spec.block.nodes[0]))


@pytest.mark.parametrize(
    ("node", "names"),
    [
        ('{value: "${a.b + c[0]}"}', {"a", "c"}),
        ('{value: ["x ${a} y ${b}", {k: "${c}"}], when: d > 1}', {"a", "b", "c", "d"}),
        ('{service: s, with: {x: "${a}"}, on_error: {use: "${b}"}}', {"a", "b"}),
        ('{http: {url: "${a}", headers: {k: "${b}"}}}', {"a", "b"}),
        ('{pipeline: q, with: {x: "${a}"}}', {"a"}),
        ('{if: a > 1, then: {nodes: {i: {value: "${b}"}}, output: "${i + c}"}, else: {output: "${d}"}}', set("abcd")),
        ('{each: {x: "${a}"}, nodes: {i: {value: "${x + index + b}"}}, output: "${i + c}"}', set("abc")),
        (
            '{repeat: {x: "${a}"}, nodes: {i: {value: "${x}"}}, next: {x: "${i + b}"}, until: x > c, max: 2, output: 1}',
            set("abc"),
        ),
        ('{repeat: {x: "${x}"}, max: 2, output: 1}', {"x"}),
        ('{each: {x: "${a}"}, nodes: {i: {each: {y: "${x}"}, output: "${y + b}"}}, output: "${i}"}', set("ab")),
        ('{value: "${a.map(q, q + b).filter(q, q > c)}"}', set("abc")),
        ('{value: "${first(a, b.c, 1)}"}', set("ab")),
        ('{value: "${has(a.b) ? a.b : 1}"}', {"a"}),
        ("{value: \"$${a} and '${b}'\"}", {"b"}),
        ('{value: "${a +}"}', set()),
        ('{value: ["${a +}", "${b}"]}', {"b"}),
        ("{value: 1}", set()),
    ],
)
def test_names_are_found_wherever_they_stand(node: str, names: set[str]) -> None:
    """Conditions, texts, lists, inner blocks and `on_error` all count; what a block defines itself does not."""
    assert reads(node) == names
