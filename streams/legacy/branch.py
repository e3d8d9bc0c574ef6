"""A branch of an older pipeline: an `if`, with the nodes of each side in a block of their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streams.legacy.conditions import condition, constant
from streams.legacy.flow import SIDES, Regions
from streams.legacy.node import One
from streams.legacy.references import Outputs, Scope, Unresolved
from streams.legacy.values import bare, either, renamed

if TYPE_CHECKING:
    from streams.legacy.block import Block


@dataclass
class Branch:
    """A branch while it is turned: an `if`, with the nodes of each side in a block of their own."""

    node: One
    regions: Regions

    def turn(self) -> None:
        """What both sides give under one name is what the branch gives; what one side gives only is given there."""
        node = self.node
        node.code("before"), node.code("after")
        given = {key: bare(value) for key, value in node.given().items()}
        node.scope = node.scope.own(node.scope.params, given)
        test = self.test()
        name = node.block.name(node.identity)
        sides = {side: self.side(side, name) for side in SIDES}
        fields = {side: one.gives for side, one in sides.items() if one.taken}
        both = self.common(fields)
        made: dict[str, Any] = {"if": test}
        if "then" not in fields and "else" in fields:
            made = {"if": f"!({test})"}
        for side, key in zip(fields, ("then", "else"), strict=False):
            names_of = {new: old[side] for new, old in both.items() if side in old}
            output = {new: fields[side][old] for new, old in names_of.items()} or side == "then"
            block: dict[str, Any] = {"nodes": sides[side].block.nodes} if sides[side].block.nodes else {}
            made[key] = {**block, "output": output}
        if not fields:
            made["then"] = {"output": True}
        node.add(name, {**made, **node.options()})
        aliases = {old[side]: f"{name}.{new}" for new, old in both.items() for side in old}
        only = f"{name}.{next(iter(both))}" if len(both) == 1 else ""
        outputs = Outputs(name, aliases, only=only, sided=len(fields) == 1)
        for one in (node.identity, *self.regions["then"], *self.regions["else"]):
            node.block.scope.nodes[one] = outputs
        if any(one.block.output for one in sides.values()):
            node.block.output.update({new: f"${{{name}.{new}}}" for new in both})
            for new in both:
                node.block.shared.origins["output", new] = ((*node.block.at, node.number), node.identity)

    def test(self) -> str:
        """The condition."""
        text = self.node.data.get("if")
        try:
            return condition(text, self.node.scope) if isinstance(text, str) else constant(text)
        except Unresolved as error:
            self.node.refuse("if", str(error), error.hint)
            return "true"

    def side(self, key: str, name: str) -> "Side":
        """The nodes of a side, and what it gives in the end."""
        node, region = self.node, self.regions[key]
        own = self.out(key)
        inner = Scope(dict(node.block.scope.nodes), node.block.scope.item)
        inner.nodes[node.identity] = Outputs("null", {old: bare(value) for old, value in own.items()})
        place = (*node.block.place, "nodes", name, "then" if key == "then" or not self.goes("then") else "else")
        block = type(node.block)(node.block.shared, node.block.at, place, inner, edges=node.block.edges)
        block.turn(region)
        if block.output:
            return Side(True, block, dict(block.output))
        exits = [one for one in region if not any(edge.source == one and edge.target in region for edge in block.edges)]
        gives: dict[str, list[str]] = {}
        for one in exits:
            outputs = inner.nodes.get(one, Outputs("null"))  # an end gives nothing to others
            for field_name, text in outputs.fields.items():
                gives.setdefault(field_name, []).append(text)
            if outputs.only:
                gives.setdefault("result", []).append(outputs.only)
        merged = {field_name: f"${{{either(texts)}}}" for field_name, texts in gives.items()}
        return Side(self.goes(key), block, {**own, **merged})

    def goes(self, key: str) -> bool:
        """Whether there is anything on a side."""
        edge = any(one.source == self.node.identity and one.side == key for one in self.node.block.edges)
        data = self.node.data.get(key)
        return edge or bool(self.regions[key]) or bool(isinstance(data, dict) and data.get("out"))

    def out(self, key: str) -> dict[str, Any]:
        """What the branch itself gives on a side."""
        data = self.node.data.get(key, {})
        if isinstance(data, str | list):
            return {}
        if not isinstance(data, dict):
            self.node.refuse(key, "a side of a branch is an object with next and out")
            return {}
        for one in data.keys() - {"next", "out"}:
            self.node.refuse(key, f"{one!r} has no counterpart in a side of a branch", "", one)
        out = data.get("out", {})
        if not isinstance(out, dict):
            self.node.refuse(key, "out is an object from names to references", "", "out")
            return {}
        return {name: self.node.value(value, key, "out", name) for name, value in out.items()}

    @staticmethod
    def common(fields: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
        """The names under which the branch gives something → the name on each side."""
        if len(fields) == 1:
            ((side, only),) = fields.items()
            chosen = [one for one in only if one != "result" or len(only) == 1] or list(only)
            return {new: {side: old} for old, (new, _) in renamed(dict.fromkeys(chosen)).items()}
        if not fields:
            return {}
        shared = [one for one in fields["then"] if one in fields["else"]]
        if not shared and all(len(one) == 1 for one in fields.values()):
            return {"result": {side: next(iter(one)) for side, one in fields.items()}}
        if "result" in shared and len(shared) > 1:
            shared.remove("result")  # each side has its one thing under its own name too
        return {new: dict.fromkeys(SIDES, old) for old, (new, _) in renamed(dict.fromkeys(shared)).items()}


@dataclass(frozen=True)
class Side:
    """A side of a branch: whether there is anything on it, its nodes, and what it gives."""

    taken: bool
    block: "Block"
    gives: Mapping[str, Any]
