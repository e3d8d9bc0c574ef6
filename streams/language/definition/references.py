"""Which names a node reads, its blocks included: what edges are inferred from."""

from collections.abc import Iterator, Mapping
from typing import Any

from streams.language import template
from streams.language.definition.model import BlockSpec, NodeKind, NodeSpec
from streams.language.expressions.expression import BadExpression, parse
from streams.language.source.document import Place, strings

BARE = frozenset({"when", "if", "until"})
"""Keys that hold CEL without `${…}`."""


def own_places(node: NodeSpec) -> Iterator[tuple[Place, Any, bool]]:
    """Yield what a node evaluates in its own scope: (place, value, whether it is bare CEL)."""
    for key in ("when", "with", "value", "if", "each", "http"):
        if key in node.keys:
            yield (*node.place, key), node.keys[key], key in BARE
    if node.kind is NodeKind.REPEAT:
        yield (*node.place, "repeat"), node.keys["repeat"], False
    on_error = node.keys.get("on_error")
    if isinstance(on_error, Mapping) and "use" in on_error:
        yield (*node.place, "on_error", "use"), on_error["use"], False


def body_places(node: NodeSpec) -> Iterator[tuple[Place, Any, bool]]:
    """Yield what a `repeat` evaluates at the end of each round, in the scope of its body: (place, value, whether it is bare CEL)."""
    for key in ("next", "until"):
        if node.kind is NodeKind.REPEAT and key in node.keys:
            yield (*node.place, key), node.keys[key], key in BARE


def variables(node: NodeSpec) -> frozenset[str]:
    """Return the names that a node defines for its own body."""
    subject = node.subject if isinstance(node.subject, Mapping) else {}
    if node.kind is NodeKind.EACH:
        return frozenset(subject) | {"index"}
    return frozenset(subject) if node.kind is NodeKind.REPEAT else frozenset()


def names(places: Iterator[tuple[Place, Any, bool]]) -> frozenset[str]:
    """Return every name that these read; what cannot be parsed reads nothing here and is reported where it is compiled."""
    read: set[str] = set()
    for place, value, bare in places:
        for at, text in strings(value, place):  # one by one: a text that is wrong must not hide what others read
            try:
                read |= parse(text).names if bare else template.needs(template.read(text, at)).read()
            except (BadExpression, template.BadTemplate):
                continue
    return frozenset(read)


def node_reads(node: NodeSpec) -> frozenset[str]:
    """Return the names from around a node that it or anything inside it reads."""
    read = names(own_places(node))
    inside = names(body_places(node))
    for block in node.blocks.values():
        inside |= block_reads(block) - variables(node)
    return read | (inside - variables(node) - _defined(node))


def block_reads(block: BlockSpec) -> frozenset[str]:
    """Return the names from around a block that it reads."""
    read = names(iter([((*block.place, "output"), block.output, False)]))
    for node in block.nodes:
        read |= node_reads(node)
    return read - {node.name for node in block.nodes}


def _defined(node: NodeSpec) -> frozenset[str]:
    """Return the names of the nodes of a `repeat`'s body, which its `next` and `until` may read."""
    body = node.blocks.get("")
    return frozenset(inner.name for inner in body.nodes) if body else frozenset()
