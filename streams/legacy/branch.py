"""A branch of a legacy pipeline: an `if`, with the nodes of each side in a block of their own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from streams.legacy.block import Block
from streams.legacy.conditions import condition, constant
from streams.legacy.flow import SIDES, Item, Regions
from streams.legacy.node import LegacyNode
from streams.legacy.references import Outputs, Scope, Unresolved
from streams.legacy.values import bare, either, renamed


@dataclass
class Branch:
    """A branch while it is converted: an `if`, with the nodes of each side in a block of their own."""

    node: LegacyNode
    regions: Regions
    convert_ordered: Callable[[Block, Mapping[str, Item]], None]
    """Converts the nodes of a side into its block."""

    def convert(self) -> None:
        """Add the `if`. Its output has the names that both sides give, or those of the only side."""
        node = self.node
        node.code("before"), node.code("after")
        inputs = {key: bare(value) for key, value in node.inputs().items()}
        node.scope = node.scope.own(node.scope.params, inputs)
        test = self.test()
        name = node.block.name(node.identity)
        sides = {side: self.side(side, name) for side in SIDES}
        fields = {key: side.gives for key, side in sides.items() if side.taken}
        both = self.common(fields)
        converted: dict[str, Any] = {"if": f"!({test})" if "else" in fields and "then" not in fields else test}
        for side, key in zip(fields, ("then", "else"), strict=False):
            names_of = {new: old[side] for new, old in both.items() if side in old}
            output = {new: fields[side][old] for new, old in names_of.items()} or side == "then"
            block: dict[str, Any] = {"nodes": sides[side].block.nodes} if sides[side].block.nodes else {}
            converted[key] = {**block, "output": output}
        if not fields:
            converted["then"] = {"output": True}
        node.add(name, {**converted, **node.options()})
        aliases = {old[side]: f"{name}.{new}" for new, old in both.items() for side in old}
        only = f"{name}.{next(iter(both))}" if len(both) == 1 else ""
        outputs = Outputs(name, aliases, only=only, sided=len(fields) == 1)
        for identity in (node.identity, *self.regions["then"], *self.regions["else"]):
            node.block.scope.nodes[identity] = outputs
        if any(side.block.output for side in sides.values()):
            node.block.output.update({new: f"${{{name}.{new}}}" for new in both})
            for new in both:
                node.block.shared.origins["output", new] = ((*node.block.at, node.number), node.identity)

    def test(self) -> str:
        """Return the condition; report one that has no counterpart and return `true`."""
        text = self.node.data.get("if")
        try:
            return condition(text, self.node.scope) if isinstance(text, str) else constant(text)
        except Unresolved as error:
            self.node.refuse("if", str(error), error.hint)
            return "true"

    def side(self, key: str, name: str) -> "Side":
        """Convert the nodes of a side; return them with what the side gives."""
        node, region = self.node, self.regions[key]
        own = self.out(key)
        inner = Scope(dict(node.block.scope.nodes), node.block.scope.item)
        inner.nodes[node.identity] = Outputs("null", {old: bare(value) for old, value in own.items()})
        place = (*node.block.place, "nodes", name, "then" if key == "then" or not self.goes("then") else "else")
        block = node.block.inside(node.block.at, place, inner, node.block.edges)
        self.convert_ordered(block, region)
        if block.output:
            return Side(True, block, dict(block.output))
        leading = {edge.source for edge in block.edges if edge.target in region}
        gives: dict[str, list[str]] = {}
        for identity in (identity for identity in region if identity not in leading):  # the last ones
            outputs = inner.nodes.get(identity, Outputs("null"))  # an end gives nothing to others
            for field_name, text in outputs.fields.items():
                gives.setdefault(field_name, []).append(text)
            if outputs.only:
                gives.setdefault("result", []).append(outputs.only)
        merged = {field_name: f"${{{either(texts)}}}" for field_name, texts in gives.items()}
        return Side(self.goes(key), block, {**own, **merged})

    def goes(self, key: str) -> bool:
        """Return whether there is anything on a side."""
        edge = any(edge.source == self.node.identity and edge.side == key for edge in self.node.block.edges)
        data = self.node.data.get(key)
        return edge or bool(self.regions[key]) or bool(isinstance(data, dict) and data.get("out"))

    def out(self, key: str) -> dict[str, Any]:
        """Return what the branch itself gives on a side."""
        data = self.node.data.get(key, {})
        if isinstance(data, str | list):
            return {}
        if not isinstance(data, dict):
            self.node.refuse(key, "a side of a branch is an object with next and out")
            return {}
        for name in data.keys() - {"next", "out"}:
            self.node.refuse(key, f"{name!r} has no counterpart in a side of a branch", "", name)
        out = data.get("out", {})
        if not isinstance(out, dict):
            self.node.refuse(key, "out is an object from names to references", "", "out")
            return {}
        return {name: self.node.value(value, key, "out", name) for name, value in out.items()}

    @staticmethod
    def common(fields: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
        """Map the names in the branch's output to the name on each side."""
        if len(fields) == 1:
            ((side, only),) = fields.items()
            chosen = [name for name in only if name != "result" or len(only) == 1] or list(only)
            return {new: {side: old} for old, (new, _) in renamed(dict.fromkeys(chosen)).items()}
        if not fields:
            return {}
        shared = [name for name in fields["then"] if name in fields["else"]]
        if not shared and all(len(gives) == 1 for gives in fields.values()):
            return {"result": {side: next(iter(gives)) for side, gives in fields.items()}}
        if "result" in shared and len(shared) > 1:
            shared.remove("result")  # each side has its only value under its own name too
        return {new: dict.fromkeys(SIDES, old) for old, (new, _) in renamed(dict.fromkeys(shared)).items()}


@dataclass(frozen=True)
class Side:
    """A side of a branch: whether there is anything on it, its nodes, and what it gives."""

    taken: bool
    block: Block
    gives: Mapping[str, Any]
