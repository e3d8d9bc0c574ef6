"""Random pipelines that compile: every kind of node in every other, with every option, over whole numbers and lists of them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml
from hypothesis import strategies as st

from tests.property.services import SERVICES

NESTED = (
    "first(first({a}, {b}), {c})",
    "first({a} + {b}, {a}, {b}, {c})",
    "first(first({a}, {b}) + {a}, {c})",
    "(first({a}, {c}) + first({b}, {c}))",
    "first([1, 2].map(q, q + {a})[0], {c})",
    "first({a} > 3 ? {a} : {b}, {c})",
)
"""Choices in choices: `a` and `b` may be missing, `c` never is."""

_NAME = re.compile(r"\b[a-z]+\d+\b")


@dataclass(frozen=True)
class Case:
    """A pipeline, the pipelines that it calls, and an input."""

    text: str
    library: Mapping[str, str]
    input: Mapping[str, Any]

    def __repr__(self) -> str:
        parts = [*self.library.values(), self.text, f"input: {dict(self.input)}"]
        return "\n---\n".join(parts)


@dataclass(frozen=True)
class Shape:
    """Which parts of the language a case may use."""

    any_of: bool = True
    deadline: bool = False
    failing: bool = True
    nodes: int = 10
    depth: int = 3
    chain: bool = False
    """Nothing meets and nothing fans out: each node of a block reads the one before it, and there is no `each`."""


@dataclass(frozen=True)
class Known:
    """A name that expressions may read, by its numbers and its lists."""

    numbers: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    skippable: bool = False
    node: str = ""
    """The node of the same block that it is, if it is one."""


@dataclass(frozen=True)
class Text:
    """An expression; `total` when nothing that it needs can be missing."""

    text: str
    total: bool

    @property
    def quoted(self) -> str:
        """As a value in YAML."""
        return f"${{{self.text}}}"


@dataclass
class Maker:
    """Draws one pipeline."""

    draw: Any
    shape: Shape
    library: Mapping[str, str]
    count: int = 0
    budget: int = 0

    def __post_init__(self) -> None:
        self.budget = self.shape.nodes

    def chance(self, percent: int) -> bool:
        """True so often; False when shrunk."""
        return bool(self.draw(st.integers(0, 99)) >= 100 - percent)

    def pick(self, choices: Any) -> Any:
        """One of these; the first when shrunk."""
        return self.draw(st.sampled_from(choices))

    def small(self) -> int:
        """A small number."""
        return int(self.draw(st.integers(0, 9)))

    def name(self, prefix: str) -> str:
        """A name that is used nowhere else."""
        self.count += 1
        return f"{prefix}{self.count}"

    # Expressions -----------------------------------------------------------------------------------------------

    def atom(self, scope: list[Known], total: bool) -> Text:
        """A number that is there, or a choice among several."""
        sure = [name for name in scope if name.numbers and not name.skippable]
        maybe = [name for name in scope if name.numbers and name.skippable]
        if maybe and self.chance(60):
            first = self.pick(self.pick(maybe).numbers)
            if not total and self.chance(40):
                return Text(first, False)
            second = self.pick([*(number for name in sure for number in name.numbers), str(self.small())])
            if self.chance(25):
                other = self.pick(self.pick(maybe).numbers)
                return Text(self.pick(NESTED).format(a=first, b=other, c=second), True)
            if self.chance(20):
                return Text(f"first({first}, {self.pick(self.pick(maybe).numbers)}, {second})", True)
            return Text(f"first({first}, {second})", True)
        numbers = [number for name in reversed(sure) for number in name.numbers]
        return Text(self.pick(numbers), True) if numbers else Text(str(self.small()), True)

    def number(self, scope: list[Known], total: bool = False) -> Text:
        """A number."""
        one = self.atom(scope, total)
        match self.draw(st.integers(0, 9)):
            case 5:
                return Text(f"({one.text} + {self.small()}) % 20", one.total)
            case 6:
                other = self.atom(scope, total)
                return Text(f"{one.text} + {other.text}", one.total and other.total)
            case 7:
                items = self.items(scope, total)
                return Text(f"{one.text} + size({items.text})", one.total and items.total)
            case 8 if self.shape.failing:
                return Text(f"12 / ({one.text} % 3)", one.total)
            case 9:
                return Text(f"{one.text} - 1", one.total)
        return one

    def items(self, scope: list[Known], total: bool = False) -> Text:
        """A list of at most a few numbers."""
        lists = [(text, name.skippable) for name in reversed(scope) for text in name.lists]
        sure = [text for text, skippable in lists if not skippable]
        if lists and self.chance(60):
            text, skippable = self.pick(lists)
            if not skippable:
                if self.chance(30):
                    item = self.name("q")
                    return Text(f"{text}.map({item}, {item} + {self.atom(scope, True).text})", True)
                return Text(text, True)
            if not total and self.chance(30):
                return Text(text, False)
            return Text(f"first({text}, {self.pick([*sure, '[]', '[1, 2]'])})", True)
        parts = [self.atom(scope, total) for _ in range(self.draw(st.integers(0, 3)))]
        return Text("[" + ", ".join(one.text for one in parts) + "]", all(part.total for part in parts))

    def condition(self, scope: list[Known], total: bool = False) -> Text:
        """Something true or false. It reads a name always: what is never true does not compile."""
        sure = [name for name in scope if name.numbers and not name.skippable]
        one = self.atom(scope, total)
        if not _NAME.search(one.text):
            one = Text(self.pick(self.pick(sure).numbers), True)
        test = self.pick(["{} >= 0", "{} > 3", "{} % 2 == 0", "{} < 5", "{} > 100"])
        if self.shape.failing and self.chance(5):
            test = "12 / ({} % 3) > 5"
        return Text(test.format(one.text), one.total)

    # Blocks ----------------------------------------------------------------------------------------------------

    def block(self, scope: list[Known], depth: int) -> tuple[dict[str, Any], list[Known]]:
        """Nodes, and the scope at their end."""
        nodes: dict[str, Any] = {}
        scope = [replace(one, node="") for one in scope]
        implied: dict[str, frozenset[str]] = {}
        for _ in range(self.draw(st.integers(0, 4 if depth else 6))):
            if self.budget <= 0:
                break
            self.budget -= 1
            name = self.name("n")
            node, known = self.node(name, scope, implied, depth)
            if self.shape.chain and scope[-1].node and scope[-1].node not in _NAME.findall(json.dumps(node)):
                node, known = self.after(scope[-1], node, known)
            nodes[name] = node
            reads = set(_NAME.findall(json.dumps(node))) & implied.keys()
            implied[name] = frozenset(reads).union(*(implied[read] for read in reads))
            scope = [*scope, replace(known, node=name)]
        return nodes, scope

    def after(self, before: Known, node: dict[str, Any], known: Known) -> tuple[dict[str, Any], Known]:
        """A node that waits for the one before it."""
        read = (before.numbers or before.lists)[0]
        if before.skippable:
            read = f"first({read}, {0 if before.numbers else '[]'})"
        waits = f"{read if before.numbers else f'size({read})'} > -1000"
        when = f"({node['when']}) && {waits}" if "when" in node else waits
        return {**node, "when": when}, replace(known, skippable=True)

    def body(self, scope: list[Known], depth: int) -> dict[str, Any]:
        """A block whose output is a number."""
        nodes, after = self.block(scope, depth + 1)
        return {**({"nodes": nodes} if nodes else {}), "output": self.number(after, total=True).quoted}

    def node(
        self, name: str, scope: list[Known], implied: Mapping[str, frozenset[str]], depth: int
    ) -> tuple[dict[str, Any], Known]:
        """A node, and how it is read."""
        pair = self.pair(scope, implied) if self.shape.any_of or self.shape.deadline else None
        if pair and self.chance(35):
            return self.join(name, scope, *pair, implied)
        kinds = [self.value, self.service]
        if depth < self.shape.depth:
            kinds += [self.branch, self.repeat] if self.shape.chain else [self.branch, self.each, self.repeat]
            kinds += [self.pipeline] if self.library else []
        node, known = self.pick(kinds)(name, scope, depth)
        return self.options(node, known, scope)

    def pair(self, scope: list[Known], implied: Mapping[str, frozenset[str]]) -> tuple[Known, Known] | None:
        """Two nodes of this block that do not wait for each other."""
        local = [name for name in scope if name.node and name.numbers]
        pairs = [
            (one, other)
            for at, one in enumerate(local)
            for other in local[at + 1 :]
            if one.node not in implied[other.node]
        ]
        return self.pick(pairs) if pairs else None

    def join(
        self, name: str, scope: list[Known], one: Known, other: Known, implied: Mapping[str, frozenset[str]]
    ) -> tuple[dict[str, Any], Known]:
        """A node that waits for two: for any of them, or not for ever."""
        outside = [known for known in scope if not known.node]
        both = {one.node, other.node}  # who waits for a node after both waits for that node alone
        local = [known for known in scope if known.node and known.numbers and not both <= implied[known.node]]
        among = ", ".join(known.numbers[0] for known in (one, other, *([self.pick(local)] if self.chance(40) else [])))
        number = f"first({among}, {self.atom(outside, True).text})"
        node: dict[str, Any]
        known = Known((name,))
        match self.draw(st.integers(0, 6)):
            case 0 | 1:
                node = {"value": f"${{{number}}}"}
            case 2:
                node = {"service": self.pick(self.services()), "with": {"x": f"${{{number}}}"}}
                known = Known((f"{name}.v",), (f"{name}.items",))
            case 3:
                node = {"if": f"{number} > 3", "then": self.body(outside, self.shape.depth)}
                node["else"] = {"output": f"${{{number}}}"}
            case 4:
                node = self.rounds(number)
            case 5 if self.library:
                node = {"pipeline": self.pick(sorted(self.library)), "with": {"a0": f"${{{number}}}"}}
                known = Known((f"{name}.r",), (f"{name}.l",))
            case _:
                item = self.name("i")
                inner = [*outside, Known((item,))]
                node = {"each": {item: f"${{[{number}, 1]}}"}, **self.body(inner, self.shape.depth)}
                known = Known((f"size({name})",), (name,))
        if self.shape.any_of and (not self.shape.deadline or self.chance(50)):
            node["wait"] = "any"
        if self.shape.deadline and ("wait" not in node or self.chance(30)):
            node["deadline"] = f"{1 + self.small()}s"
        return self.options(node, known, outside)

    def rounds(self, number: str) -> dict[str, Any]:
        """A loop that asks a service a few times, from this number on."""
        state, step = self.name("s"), self.name("n")
        return {
            "repeat": {state: f"${{{number}}}"},
            "nodes": {step: {"service": self.pick(self.services()), "with": {"x": f"${{{state}}}"}}},
            "next": {state: f"${{{step}.v}}"},
            "max": self.draw(st.integers(1, 3)),
            "output": f"${{{step}.v}}",
        }

    def options(self, node: dict[str, Any], known: Known, scope: list[Known]) -> tuple[dict[str, Any], Known]:
        """What any node may have beside its kind."""
        if self.chance(20):
            node["when"] = self.condition(scope).text
            known = replace(known, skippable=True)
        if self.shape.failing and self.chance(30):
            if self.chance(50):
                node["on_error"] = {"use": self.instead(node, known, scope)}
            else:
                node["on_error"] = "skip"
                known = replace(known, skippable=True)
        return node, known

    def instead(self, node: dict[str, Any], known: Known, scope: list[Known]) -> Any:
        """What a node may have in place of what it failed to give."""
        if "service" in node:
            return {"v": self.number(scope).quoted, "items": self.items(scope).quoted}
        if "pipeline" in node:
            return {"r": self.number(scope).quoted, "l": self.items(scope).quoted}
        listed = "each" in node or not known.numbers
        return (self.items(scope) if listed else self.number(scope)).quoted

    def services(self) -> list[str]:
        """Services that a node may call."""
        return list(SERVICES) if self.shape.failing else ["calc"]

    def value(self, name: str, scope: list[Known], depth: int) -> tuple[dict[str, Any], Known]:
        """A value node."""
        if self.chance(25):
            items = self.items(scope)
            return {"value": items.quoted}, Known((), (name,), not items.total)
        number = self.number(scope)
        return {"value": number.quoted}, Known((name,), (), not number.total)

    def service(self, name: str, scope: list[Known], depth: int) -> tuple[dict[str, Any], Known]:
        """A service node."""
        x = self.number(scope)
        node: dict[str, Any] = {"service": self.pick(self.services()), "with": {"x": x.quoted}}
        total = x.total
        if self.chance(30):
            y = self.number(scope)
            node["with"]["y"] = y.quoted
            total = total and y.total
        if self.chance(30):
            node["retry"] = {"attempts": self.draw(st.integers(1, 3)), "backoff": "1s"}
        return node, Known((f"{name}.v",), (f"{name}.items",), not total)

    def branch(self, name: str, scope: list[Known], depth: int) -> tuple[dict[str, Any], Known]:
        """An if, with or without else."""
        condition = self.condition(scope)
        node = {"if": condition.text, "then": self.body(scope, depth)}
        if self.chance(60):
            return {**node, "else": self.body(scope, depth)}, Known((name,), (), not condition.total)
        return node, Known((name,), (), True)

    def each(self, name: str, scope: list[Known], depth: int) -> tuple[dict[str, Any], Known]:
        """A loop over a list."""
        items = self.items(scope)
        item = self.name("i")
        node: dict[str, Any] = {"each": {item: items.quoted}, **self.body([*scope, Known((item, "index"))], depth)}
        if self.chance(30):
            node["concurrency"] = self.draw(st.integers(1, 3))
        return node, Known((f"size({name})",), (name,), not items.total)

    def repeat(self, name: str, scope: list[Known], depth: int) -> tuple[dict[str, Any], Known]:
        """A loop with carried state."""
        states = [self.name("s") for _ in range(self.draw(st.integers(1, 2)))]
        first = {state: self.number(scope) for state in states}
        nodes, after = self.block([*scope, *(Known((state,)) for state in states)], depth + 1)
        node: dict[str, Any] = {"repeat": {state: text.quoted for state, text in first.items()}}
        node |= {"nodes": nodes} if nodes else {}
        following = [state for state in states if self.chance(80)]
        if following:
            node["next"] = {state: self.number(after, total=True).quoted for state in following}
        if self.chance(50):
            node["until"] = self.condition(after, total=True).text
        node |= {"max": self.draw(st.integers(1, 3)), "output": self.number(after, total=True).quoted}
        return node, Known((name,), (), not all(text.total for text in first.values()))

    def pipeline(self, name: str, scope: list[Known], depth: int) -> tuple[dict[str, Any], Known]:
        """Another pipeline."""
        x = self.number(scope)
        node: dict[str, Any] = {"pipeline": self.pick(sorted(self.library)), "with": {"a0": x.quoted}}
        return node, Known((f"{name}.r",), (f"{name}.l",), not x.total)

    def file(self, name: str, inputs: dict[str, Any]) -> str:
        """A whole file."""
        scope = [Known(("a0",)), Known((), ("b0",))]
        nodes, after = self.block(scope, 0)
        output = {"r": self.number(after, total=True).quoted, "l": self.items(after, total=True).quoted}
        data = {"pipeline": name, "input": inputs, "nodes": nodes, "output": output}
        return str(yaml.dump(data, sort_keys=False, width=1000, Dumper=yaml.CSafeDumper))


LISTED = {"type": ["int"], "default": [3, 1]}


@st.composite
def cases(draw: st.DrawFn, shape: Shape = Shape()) -> Case:
    """Pipelines with what they call and an input."""
    library: dict[str, str] = {}
    for number in range(draw(st.sampled_from([0, 0, 1, 2]))):
        name = f"inner-{number}"
        maker = Maker(draw, replace(shape, nodes=3, depth=2), dict(library))
        bounded: dict[str, Any] = {"type": "int", "minimum": 1} if shape.failing else {"type": "int"}
        library[name] = maker.file(name, {"a0": bounded, "b0": LISTED})
    text = Maker(draw, shape, library).file("outer", {"a0": "int", "b0": LISTED})
    given = {"a0": draw(st.integers(0, 9)), "b0": draw(st.lists(st.integers(0, 9), max_size=4))}
    return Case(text, library, given)
