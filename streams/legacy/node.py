"""One node of a legacy pipeline, with a method for each type but the branch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streams.language.types import from_avro
from streams.legacy import names
from streams.legacy.block import Block
from streams.legacy.conditions import assignments
from streams.legacy.flow import exclusive, guards, ready
from streams.legacy.references import Outputs, Scope, Unresolved, is_reference, parts, resolve
from streams.legacy.values import bare, either, record, renamed


@dataclass
class LegacyNode:
    """One node while it is converted, with a method for each type."""

    block: Block
    identity: str
    number: int
    data: Mapping[str, Any]
    scope: Scope

    def refuse(self, key: str, problem: str, hint: str = "", *more: str | int) -> None:
        """Report what has no counterpart, under a key of the node."""
        self.block.refuse((self.number, *((key,) if key else ()), *more), self.identity, problem, hint)

    def node(self) -> None:
        """Convert a node that only passes on its inputs."""
        findings = self.block.shared.findings
        before = len(findings)
        fields = {**self.inputs(), **self.code("before"), **self.code("after")}
        if len(findings) > before or not fields:
            # What the code would have computed is unknown; reporting each of its readers would repeat the problem.
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
        """Convert a call of a service."""
        contracts = self.block.shared.contracts
        service = names.service(self.data, contracts, self.block.shared.services)
        name = self.block.name(self.identity)
        if service is None:
            key = next((key for key in ("url", "service", "name") if key in self.data), "")
            self.refuse(key, f"no service fits {self.data.get(key)!r}", "say which with --service OLD=NAME")
            self.inputs(), self.code("before"), self.code("after"), self.options()
            self.block.scope.nodes[self.identity] = Outputs(name, rest=f"{name}.")
            return
        takes = [field.name for field in from_avro(contracts[service].input).fields]
        fields = {**self.inputs(takes), **self.code("before")}
        if self.code("after"):
            self.refuse("after", "what a service gives is not changed after it", "add a node that passes it on")
        self.add(name, {"service": service, "with": fields, **self.options()})
        gives = {field.name: f"{name}.{field.name}" for field in from_avro(contracts[service].output).fields}
        legacy = {old: text.format(name) for (owner, old), text in names.ANSWERS.items() if owner == service}
        only = next(iter(gives.values())) if len(gives) == 1 else ""
        self.block.scope.nodes[self.identity] = Outputs(name, {**gives, **legacy}, only=only)

    def http(self) -> None:
        """Convert a call of another system."""
        request = {"url": self.value(self.data.get("url"), "url")}
        verb = self.data.get("method", self.data.get("verb"))
        if verb is not None:
            request["method"] = str(verb).upper()
        for key in ("headers", "body"):
            if key in self.data:
                request[key] = self.value(self.data[key], key)
        if "body" not in request and (fields := {**self.inputs(()), **self.code("before")}):
            request["body"] = fields
        if self.code("after"):
            self.refuse("after", "an answer is not changed after it came", "add a node that passes it on")
        name = self.block.name(self.identity)
        self.add(name, {"http": request, **self.options()})
        known = {part: f"{name}.{part}" for part in ("status", "headers", "body")}
        self.block.scope.nodes[self.identity] = Outputs(f"{name}.body", known, rest=f"{name}.body.")

    def loop(self, convert_nodes: Callable[[Block, Sequence[Any]], None]) -> None:
        """Convert a loop, which runs its nodes for every item; `convert_nodes` converts its body."""
        self.code("before"), self.code("after")
        name = self.block.name(self.identity, "each")
        item = self.block.name("item")
        items = self.value(self.data.get("items"), "items")
        inner_nodes = self.data.get("nodes")
        at = (*self.block.at, self.number, "nodes")
        place = (*self.block.place, "nodes", name)
        scope = Scope(dict(self.block.scope.nodes), item)
        inner = self.block.inside(at, place, scope, [])
        if not isinstance(inner_nodes, list):
            self.refuse("nodes", "a loop has a list of nodes")
            inner_nodes = []
        convert_nodes(inner, inner_nodes)
        collect = LegacyNode(inner, self.identity, self.number, self.data, scope).collected(self)
        if len(collect) == 1:
            ((key, value),) = collect.items()
            picked = self.picked(inner)
            output = _maybe(value) if picked else value
            self.add(name, {"each": {item: items}, "nodes": inner.nodes, "output": output, **self.options()})
            text = f"{name}.filter(one, size(one) > 0).map(one, one[0])" if picked else name
            self.block.scope.nodes[self.identity] = Outputs(text, {key: text})
            return
        self.add(name, {"each": {item: items}, "nodes": inner.nodes, "output": record(collect), **self.options()})
        fields = {old: f"{name}.map(one, one.{new})" for old, (new, _) in renamed(collect).items()}
        self.block.scope.nodes[self.identity] = Outputs(name, fields)

    def picked(self, inner: Block) -> bool:
        """Return whether what a loop collects comes from one side of a branch, so that not every item has a value."""
        data = self.data.get("collect")
        value = next(iter(data.values())) if isinstance(data, dict) and data else data
        path = [part for part in (parts(value) or []) if part != "loop"] if isinstance(value, str) else []
        source = inner.scope.nodes.get(path[0]) if path else None
        return source is not None and source.sided

    def collected(self, owner: "LegacyNode") -> dict[str, Any]:
        """Return what the loop collects of each item, read with the names of its own nodes."""
        data = self.data.get("collect")
        if isinstance(data, str):
            data = {"items": data}
        if not isinstance(data, dict) or not data:
            owner.refuse("collect", "collect is an object from names to references", "collect: {face: crop.out.result}")
            return {"items": None}
        collected = {}
        for name, value in data.items():
            try:
                collected[name] = self.template(value)
            except Unresolved as error:
                owner.refuse("collect", str(error), error.hint, name)
                collected[name] = None
        return collected

    def end(self) -> None:
        """Convert the end: add its inputs to the pipeline's output."""
        self.code("before"), self.code("after")
        self.options(end=True)
        fields = self.inputs()
        if not fields:
            self.refuse("", "the end gives nothing", "say what with `input`")
        for old, value in fields.items():
            new = names.field(old, ())
            other = self.block.output.get(new)
            self.block.output[new] = f"${{first({bare(other)}, {bare(value)})}}" if other else value
            self.block.shared.origins["output", new] = ((*self.block.at, self.number, "input", old), self.identity)

    # Parts -----------------------------------------------------------------------------------------------------

    def add(self, name: str, node: dict[str, Any]) -> None:
        """Put the converted node into the block."""
        self.block.add(name, node, (self.number,), self.identity)

    def inputs(self, only: Sequence[str] | None = None) -> dict[str, Any]:
        """Return the node's inputs: those it declares, else every output of the nodes before it (limited to `only`)."""
        data = self.data.get("input")
        if isinstance(data, dict):
            return {name: self.value(value, "input", name) for name, value in data.items()}
        if data is not None:
            self.refuse("input", "input is an object from names to references")
            return {}
        candidates: dict[str, list[str]] = {}
        for edge in self.block.predecessors(self.identity):
            outputs = self.block.scope.nodes.get(edge.source)
            for name, text in outputs.fields.items() if outputs else ():
                if (only is None or name in only) and text not in candidates.setdefault(name, []):
                    candidates[name].append(text)
        return {name: f"${{{either(texts)}}}" for name, texts in candidates.items()}

    def value(self, value: Any, *at: str | int) -> Any:
        """Convert the references in a value; report what cannot be resolved and return None."""
        try:
            return self.template(value)
        except Unresolved as error:
            key, *more = at
            self.refuse(str(key), str(error), error.hint, *more)
            return None

    def template(self, value: Any) -> Any:
        """Convert the references in a value. Raises Unresolved."""
        if isinstance(value, dict):
            return {key: self.template(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.template(item) for item in value]
        if not isinstance(value, str) or not is_reference(value, self.scope):
            return value.replace("${", "$${") if isinstance(value, str) else value
        resolved = resolve(parts(value) or [], self.scope)
        return resolved[0] if isinstance(resolved, list) else f"${{{resolved}}}"

    def code(self, key: str) -> dict[str, str]:
        """Return the fields that plain assignments set; report any other code."""
        text = self.data.get(key)
        if text is None or text == "":
            return {}
        fields = assignments(text, self.scope) if isinstance(text, str) else None
        if fields is None:
            self.refuse(key, "this is code, which is not run", "write what it computes as CEL, in a value node")
            return {}
        return {name: f"${{{expression}}}" for name, expression in fields.items()}

    def options(self, end: bool = False) -> dict[str, Any]:
        """Return `wait: any` for a node that continues with the first of its inputs."""
        text = self.data.get("ready")
        if text is None:
            return {}
        condition = ready(text) if isinstance(text, str) else None
        if condition is None:
            self.refuse(
                "ready", "this is code, which is not run", "a.finished, joined by and or by or, has a counterpart"
            )
        elif condition[1] == "or" and not self.exclusive():
            if end:
                self.refuse("ready", "an output waits for all that it reads", "end with a node that waits for any")
            return {"wait": "any"}
        return {}

    def exclusive(self) -> bool:
        """Return whether a run takes only one of the ways into the node, so that it has nothing to choose."""
        block = self.block
        targets = {edge.target for edge in block.edges}
        starts = [edge.source for edge in block.edges if edge.source not in targets]
        ways = []
        for edge in block.predecessors(self.identity):
            own = guards(edge.source, starts, block.edges)
            ways.append(own | {(edge.source, edge.side)} if edge.side else own)
        return exclusive(ways)


def _maybe(value: Any) -> Any:
    """Return a list with the value, or an empty one where the value was skipped."""
    return f"${{first([{bare(value)}], [])}}"
