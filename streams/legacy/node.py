"""One node of an older pipeline; a method for each type but the branch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streams.language.types import from_avro
from streams.legacy import names
from streams.legacy.conditions import assignments
from streams.legacy.flow import exclusive, guards, ready
from streams.legacy.references import Outputs, Scope, Unresolved, is_reference, parts, resolve
from streams.legacy.values import bare, either, record, renamed

if TYPE_CHECKING:
    from streams.legacy.block import Block


@dataclass
class One:
    """One node while it is turned; a method for each type."""

    block: "Block"
    identity: str
    number: int
    data: Mapping[str, Any]
    scope: Scope

    def refuse(self, key: str, problem: str, hint: str = "", *more: str | int) -> None:
        """Report what has no counterpart, under a key of the node."""
        self.block.refuse((self.number, *((key,) if key else ()), *more), self.identity, problem, hint)

    def node(self) -> None:
        """A node that only passes on what it gets."""
        findings = self.block.shared.findings
        before = len(findings)
        fields = {**self.given(), **self.code("before"), **self.code("after")}
        if len(findings) > before or not fields:
            # What code would have given is not known; to say so of everyone who reads it would say it twice.
            self.block.scope.nodes[self.identity] = Outputs("null", rest="null." if len(findings) > before else "")
            return
        new_names = renamed(fields)
        name = self.block.name(self.identity)
        self.add(name, {"value": dict(new_names.values()), **self.options()})
        outputs = {old: f"{name}.{new}" for old, (new, _) in new_names.items()}
        passed = "input" not in self.data and len(outputs) == 1
        self.block.scope.nodes[self.identity] = Outputs(
            name, outputs, only=next(iter(outputs.values())) if passed else ""
        )

    def service(self) -> None:
        """A call of a service."""
        contracts = self.block.shared.contracts
        found = names.service(self.data, contracts, self.block.shared.services)
        name = self.block.name(self.identity)
        if found is None:
            key = next((one for one in ("url", "service", "name") if one in self.data), "")
            self.refuse(key, f"no service fits {self.data.get(key)!r}", "say which with --service OLD=NAME")
            self.given(), self.code("before"), self.code("after"), self.options()
            self.block.scope.nodes[self.identity] = Outputs(name, rest=f"{name}.")
            return
        takes = [one.name for one in from_avro(contracts[found].input).fields]
        fields = {**self.given(takes), **self.code("before")}
        if self.code("after"):
            self.refuse("after", "what a service gives is not changed after it", "add a node that passes it on")
        self.add(name, {"service": found, "with": fields, **self.options()})
        gives = {one.name: f"{name}.{one.name}" for one in from_avro(contracts[found].output).fields}
        older = {old: text.format(name) for (service, old), text in names.ANSWERS.items() if service == found}
        only = next(iter(gives.values())) if len(gives) == 1 else ""
        self.block.scope.nodes[self.identity] = Outputs(name, {**gives, **older}, only=only)

    def http(self) -> None:
        """A call of another system."""
        request = {"url": self.value(self.data.get("url"), "url")}
        verb = self.data.get("method", self.data.get("verb"))
        if verb is not None:
            request["method"] = str(verb).upper()
        for key in ("headers", "body"):
            if key in self.data:
                request[key] = self.value(self.data[key], key)
        if "body" not in request and (fields := {**self.given(()), **self.code("before")}):
            request["body"] = fields
        if self.code("after"):
            self.refuse("after", "an answer is not changed after it came", "add a node that passes it on")
        name = self.block.name(self.identity)
        self.add(name, {"http": request, **self.options()})
        known = {one: f"{name}.{one}" for one in ("status", "headers", "body")}
        self.block.scope.nodes[self.identity] = Outputs(f"{name}.body", known, rest=f"{name}.body.")

    def loop(self) -> None:
        """The same nodes for every item."""
        self.code("before"), self.code("after")
        name = self.block.name(self.identity, "each")
        item = self.block.name("item")
        items = self.value(self.data.get("items"), "items")
        inner_nodes = self.data.get("nodes")
        at = (*self.block.at, self.number, "nodes")
        place = (*self.block.place, "nodes", name)
        scope = Scope(dict(self.block.scope.nodes), item)
        inner = type(self.block)(self.block.shared, at, place, scope)
        if not isinstance(inner_nodes, list):
            self.refuse("nodes", "a loop has a list of nodes")
            inner_nodes = []
        inner.convert(inner_nodes)
        collect = One(inner, self.identity, self.number, self.data, scope).collected(self)
        if len(collect) == 1:
            ((key, one),) = collect.items()
            picked = self.picked(inner)
            self.add(
                name,
                {
                    "each": {item: items},
                    "nodes": inner.nodes,
                    "output": _maybe(one) if picked else one,
                    **self.options(),
                },
            )
            text = f"{name}.filter(one, size(one) > 0).map(one, one[0])" if picked else name
            self.block.scope.nodes[self.identity] = Outputs(text, {key: text})
            return
        self.add(name, {"each": {item: items}, "nodes": inner.nodes, "output": record(collect), **self.options()})
        fields = {old: f"{name}.map(one, one.{new})" for old, (new, _) in renamed(collect).items()}
        self.block.scope.nodes[self.identity] = Outputs(name, fields)

    def picked(self, inner: "Block") -> bool:
        """Whether what a loop collects comes from one side of a branch, so that not every item gives something."""
        data = self.data.get("collect")
        value = next(iter(data.values())) if isinstance(data, dict) and data else data
        found = [one for one in (parts(value) or []) if one != "loop"] if isinstance(value, str) else []
        source = inner.scope.nodes.get(found[0]) if found else None
        return source is not None and source.sided

    def collected(self, owner: "One") -> dict[str, Any]:
        """What the loop gathers of each item, with the names of its own nodes."""
        data = self.data.get("collect")
        if isinstance(data, str):
            data = {"items": data}
        if not isinstance(data, dict) or not data:
            owner.refuse("collect", "collect is an object from names to references", "collect: {face: crop.out.result}")
            return {"items": None}
        made = {}
        for name, value in data.items():
            try:
                made[name] = self.template(value)
            except Unresolved as error:
                owner.refuse("collect", str(error), error.hint, name)
                made[name] = None
        return made

    def end(self) -> None:
        """What the pipeline gives."""
        self.code("before"), self.code("after")
        self.options(end=True)
        fields = self.given()
        if not fields:
            self.refuse("", "the end gives nothing", "say what with `input`")
        for old, value in fields.items():
            new = names.field(old, ())
            held = self.block.output.get(new)
            both = f"${{first({bare(held)}, {bare(value)})}}" if held else value
            self.block.output[new] = both
            self.block.shared.origins["output", new] = ((*self.block.at, self.number, "input", old), self.identity)

    # Parts -----------------------------------------------------------------------------------------------------

    def add(self, name: str, node: dict[str, Any]) -> None:
        """Put what the node became into the block."""
        self.block.add(name, node, (self.number,), self.identity)

    def given(self, only: Sequence[str] | None = None) -> dict[str, Any]:
        """The node's inputs: what it says, else everything that the nodes before it give (and it takes)."""
        data = self.data.get("input")
        if isinstance(data, dict):
            return {name: self.value(value, "input", name) for name, value in data.items()}
        if data is not None:
            self.refuse("input", "input is an object from names to references")
            return {}
        found: dict[str, list[str]] = {}
        for edge in self.block.predecessors(self.identity):
            outputs = self.block.scope.nodes.get(edge.source)
            for name, text in outputs.fields.items() if outputs else ():
                if (only is None or name in only) and text not in found.setdefault(name, []):
                    found[name].append(text)
        return {name: f"${{{either(texts)}}}" for name, texts in found.items()}

    def value(self, value: Any, *at: str | int) -> Any:
        """A value with its references turned; what means nothing is reported."""
        try:
            return self.template(value)
        except Unresolved as error:
            key, *more = at
            self.refuse(str(key), str(error), error.hint, *more)
            return None

    def template(self, value: Any) -> Any:
        """A value with its references turned. Raises Unresolved."""
        if isinstance(value, dict):
            return {key: self.template(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self.template(one) for one in value]
        if not isinstance(value, str) or not is_reference(value, self.scope):
            return value.replace("${", "$${") if isinstance(value, str) else value
        made = resolve(parts(value) or [], self.scope)
        return made[0] if isinstance(made, list) else f"${{{made}}}"

    def code(self, key: str) -> dict[str, str]:
        """The fields that plain assignments set; any other code is reported."""
        text = self.data.get(key)
        if text is None or text == "":
            return {}
        made = assignments(text, self.scope) if isinstance(text, str) else None
        if made is None:
            self.refuse(key, "this is code, which is not run", "write what it computes as CEL, in a value node")
            return {}
        return {name: f"${{{expression}}}" for name, expression in made.items()}

    def options(self, end: bool = False) -> dict[str, Any]:
        """`wait` for a node that goes on with whatever comes first."""
        text = self.data.get("ready")
        if text is None:
            return {}
        found = ready(text) if isinstance(text, str) else None
        if found is None:
            self.refuse(
                "ready", "this is code, which is not run", "a.finished, joined by and or by or, has a counterpart"
            )
        elif found[1] == "or" and not self.exclusive():
            if end:
                self.refuse("ready", "an output waits for all that it reads", "end with a node that waits for any")
            return {"wait": "any"}
        return {}

    def exclusive(self) -> bool:
        """Whether only one of the ways into the node is taken in a run: then it has nothing to choose."""
        block = self.block
        targets = {edge.target for edge in block.edges}
        starts = [edge.source for edge in block.edges if edge.source not in targets]
        ways = []
        for edge in block.predecessors(self.identity):
            own = guards(edge.source, starts, block.edges)
            ways.append(own | {(edge.source, edge.side)} if edge.side else own)
        return exclusive(ways)


def _maybe(value: Any) -> Any:
    """A list of one, or of none where the value was skipped."""
    return f"${{first([{bare(value)}], [])}}"
