"""What an expression may cost on these values at most, before CEL is asked: an upper bound, from its syntax tree.

CEL has no bound of its own on what it copies, and the Python objects of a result are there before anybody can count them.
Sizes are characters as `room` counts them. One unit of price is about 10 ns: a character that is read or made is one, what
grows with a product (`replace`, a list that `map` builds) is priced as that product.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streams.language.expressions import ast
from streams.language.expressions.value_limits import PART, Sizes

_NODE = 16
"""Of each part of an expression, each time that it is evaluated."""
_COPY = 8
"""Of an item that is copied: CEL copies what `map` and `filter` have made so far at every item."""
_INTO = 1
"""Of a character of what is handed to CEL."""
_COUNTED = 100
"""How many times as much a pattern that counts (`a{1,100}`) may take for each character."""
_SLIGHT = 10_000
"""Units up to which a rough price is good enough."""
_JOINED = 8
"""Characters that are one unit where two values become one: they are copied as a whole."""
_PRECISE = 1100
"""Characters that one number may take in `format`."""

MAX_STEPS = 9_999
"""Items that the comprehensions of one expression may go through: CEL itself stops it there."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """How large a value is: on average over all the times that it is computed, and at most; `items` likewise."""

    size: float = PART
    top: float = PART
    items: float = 0.0
    most: float = 0.0
    among: Sequence[Any] = ()
    """The values themselves, each as often as the others, where they are known."""

    @property
    def text(self) -> float:
        """The most characters that it has, if it is a text."""
        return max(self.top - PART, 0)

    @property
    def only(self) -> Any:
        """The value itself, if there is only one; else None."""
        return self.among[0] if len(self.among) == 1 else None


_SMALL = Bulk()


class Scene:
    """One pricing: the values, the variables of loops, and the price so far."""

    def __init__(self, values: Mapping[str, Any], sizes: Sizes) -> None:
        self.values, self.sizes, self.spent = values, sizes, 0.0

    def of(self, among: Sequence[Any]) -> Bulk:
        """Return the bulk of an average one of these values."""
        if not among:
            return _SMALL
        sizes = list(map(self.sizes.of, among))
        items = [len(value) if isinstance(value, list | dict) else 0 for value in among]
        return Bulk(sum(sizes) / len(among), max(sizes), sum(items) / len(among), max(items), among)


@dataclass(frozen=True, slots=True)
class _Const:
    bulk: Bulk

    def price(self, scene: Scene, scope: Mapping[str, Bulk], times: float) -> Bulk:
        return self.bulk


@dataclass(frozen=True, slots=True)
class _Name:
    name: str

    def price(self, scene: Scene, scope: Mapping[str, Bulk], times: float) -> Bulk:
        if self.name in scope:
            return scope[self.name]
        return scene.of([scene.values[self.name]]) if self.name in scene.values else _SMALL


@dataclass(frozen=True, slots=True)
class _Part:
    """A field, or an item."""

    whole: "Node"
    key: "Node"

    def price(self, scene: Scene, scope: Mapping[str, Bulk], times: float) -> Bulk:
        whole, key = self.whole.price(scene, scope, times), self.key.price(scene, scope, times)
        scene.spent += times * (_NODE + key.size)
        if not whole.among:
            return Bulk(whole.size, whole.top, whole.size / PART, whole.top / PART)
        if key.only is None:
            return _at_most(scene.of(_inside(whole.among)))
        return scene.of([value[key.only] for value in whole.among if _has(value, key.only)])


@dataclass(frozen=True, slots=True)
class _Container:
    """A list, or a map with its keys and values in turn."""

    parts: tuple["Node", ...]

    def price(self, scene: Scene, scope: Mapping[str, Bulk], times: float) -> Bulk:
        parts = [part.price(scene, scope, times) for part in self.parts]
        size, top = PART + sum(part.size for part in parts), PART + sum(part.top for part in parts)
        scene.spent += times * (_NODE + size)
        return Bulk(size, top, len(parts), len(parts))


@dataclass(frozen=True, slots=True)
class _Call:
    function: str
    args: tuple["Node", ...]

    def price(self, scene: Scene, scope: Mapping[str, Bulk], times: float) -> Bulk:
        args = [arg.price(scene, scope, times) for arg in self.args]
        result, work = _FUNCTIONS.get(self.function, _other)(*args)
        scene.spent += times * (_NODE + (result.size / _JOINED if self.function == "_+_" else result.size) + work)
        return result


@dataclass(frozen=True, slots=True)
class _Loop:
    """A comprehension: what `map`, `filter`, `all`, `exists` and `exists_one` become."""

    over: "Node"
    variable: str
    result: str
    listed: bool
    """Whether it builds a list."""
    first: "Node"
    holds: "Node"
    step: "Node"
    last: "Node"

    def price(self, scene: Scene, scope: Mapping[str, Bulk], times: float) -> Bulk:
        over, first = self.over.price(scene, scope, times), self.first.price(scene, scope, times)
        items, most = max(over.items, 1.0), max(over.most, 1.0)
        item = scene.of(_inside(over.among)) if over.among else Bulk(over.size / items, over.top)
        if not over.among:
            item = Bulk(item.size, item.top, item.size / PART, item.top / PART)
        # Where the lists differ in length, the longest may go with the largest of what is outside.
        around = scope if items == most else {name: _at_most(bulk) for name, bulk in scope.items()}
        if times * items > MAX_STEPS:  # it goes through some of them only, and these may be the largest
            item, items = _at_most(item), MAX_STEPS / times
        result = Bulk(0.0, 0.0) if self.listed else _SMALL
        inside = {**around, self.variable: item, self.result: result}
        self.holds.price(scene, inside, times * items)
        bulk = self.step.price(scene, inside, times * items)
        if self.listed:
            scene.spent += times * items * min(most, MAX_STEPS) / 2 * _COPY
            result = Bulk(first.size + items * bulk.size, first.top + most * bulk.top, items, most)
        return self.last.price(scene, {**scope, self.result: result}, times)


Node = _Const | _Name | _Part | _Container | _Call | _Loop


def _at_most(bulk: Bulk) -> Bulk:
    return Bulk(bulk.top, bulk.top, bulk.most, bulk.most, bulk.among)


def _inside(among: Sequence[Any]) -> list[Any]:
    """Return what a loop goes through: the items of lists, the keys of maps."""
    return [item for value in among if isinstance(value, list | dict) for item in value]


def _has(value: Any, key: Any) -> bool:
    if isinstance(value, list):
        return isinstance(key, int) and 0 <= key < len(value)
    return isinstance(value, dict) and key in value


def _other(*args: Bulk) -> tuple[Bulk, float]:
    """Price a function whose result is no larger than what it reads, or is a number or a time as text."""
    size, top = (sum(getattr(arg, name) for arg in args) + 4 * PART for name in ("size", "top"))
    return Bulk(size, top, size / PART, top / PART), 0.0


def _telling(*args: Bulk) -> tuple[Bulk, float]:
    """Price a function that reads its operands and returns a number or a boolean."""
    return _SMALL, sum(arg.size for arg in args)


def _sum(*args: Bulk) -> tuple[Bulk, float]:
    sums = (sum(getattr(arg, name) for arg in args) for name in ("size", "top", "items", "most"))
    return Bulk(*sums), 0.0


def _either(*args: Bulk) -> tuple[Bulk, float]:
    return Bulk(*(max(getattr(arg, name) for arg in args[1:]) for name in ("size", "top", "items", "most"))), 0.0


def _search(text: Bulk, *more: Bulk) -> tuple[Bulk, float]:
    """Price the search for a text in a text: each place where it might begin, and a part of it there."""
    sought = more[0].text if more else 0.0
    return _SMALL, text.size * (1 + sought / 500)


def _matches(text: Bulk, pattern: Bulk) -> tuple[Bulk, float]:
    """Price a match: RE2 is linear in the text, and in the pattern too where its fast path does not apply."""
    plain = isinstance(pattern.only, str) and "{" not in pattern.only
    return _SMALL, text.size * (1 + pattern.text / 16 if plain else _COUNTED) + 100 * pattern.text


def _replace(text: Bulk, old: Bulk = _SMALL, new: Bulk = _SMALL, *_: Bulk) -> tuple[Bulk, float]:
    often, most = text.size, text.top
    if isinstance(text.only, str) and isinstance(old.only, str):
        often = most = text.only.count(old.only)
    replaced = Bulk(text.size + often * new.text, text.top + most * new.text)
    return replaced, _search(text, old)[1]


def _split(text: Bulk, by: Bulk = _SMALL, *_: Bulk) -> tuple[Bulk, float]:
    items, most = text.size, text.top
    if isinstance(text.only, str) and isinstance(by.only, str) and by.only:
        items = most = text.only.count(by.only) + 1
    return Bulk(text.size + PART * items, text.top + PART * most, items, most), _search(text, by)[1]


def _join(items: Bulk, by: Bulk = _SMALL) -> tuple[Bulk, float]:
    return Bulk(items.size + items.items * by.text, items.top + items.most * by.text), 0.0


def _format(text: Bulk, *args: Bulk) -> tuple[Bulk, float]:
    numbers = text.only.count(".") if isinstance(text.only, str) else text.text / 2
    more = 8 * sum(arg.top for arg in args) + numbers * _PRECISE
    return Bulk(text.size + more, text.top + more), 0.0


def _quote(*args: Bulk) -> tuple[Bulk, float]:
    return Bulk(8 * args[-1].size, 8 * args[-1].top), 0.0


_FUNCTIONS: dict[str, Callable[..., tuple[Bulk, float]]] = {
    **dict.fromkeys(("_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "@in", "size", "startsWith", "endsWith"), _telling),
    **dict.fromkeys(("_&&_", "_||_", "!_", "@not_strictly_false", "_-_", "_*_", "_/_", "_%_", "-_"), _telling),
    "_+_": _sum,
    "_?_:_": _either,
    "contains": _search,
    "indexOf": _search,
    "lastIndexOf": _search,
    "matches": _matches,
    "replace": _replace,
    "split": _split,
    "join": _join,
    "format": _format,
    "quote": _quote,
}


@dataclass(frozen=True, slots=True)
class Priced:
    """An expression to be priced. `parts` counts its parts if these and the sizes of its values suffice for a price, else 0."""

    root: Node
    parts: int

    def of(self, values: Mapping[str, Any], sizes: Sizes) -> tuple[float, float]:
        """Return the highest possible price and size of the result, with all `values` handed to CEL."""
        handed = sum(map(sizes.of, values.values()))
        rough = self.parts * (_NODE + 4 * PART + handed)
        if 0 < rough <= _SLIGHT:
            return rough, rough
        scene = Scene(values, sizes)
        result = self.root.price(scene, {}, 1.0)
        return scene.spent + result.size + _INTO * handed, result.size


def read(serialized: bytes) -> Priced:
    """Read a parsed, unchecked expression, so that it can be priced."""
    root = _node(ast.tree(serialized))
    parts, plain = _parts(root)
    return Priced(root, parts if plain else 0)


def _parts(node: Node) -> tuple[int, bool]:
    """Count the parts of an expression, and say whether none returns or costs more than all that it reads."""
    match node:
        case _Part():
            inner: tuple[Node, ...] = (node.whole, node.key)
        case _Container():
            inner = node.parts
        case _Call():
            inner = node.args
        case _Loop():
            return 0, False
        case _:
            return 1, True
    counted = [_parts(part) for part in inner]
    plain = not isinstance(node, _Call) or _FUNCTIONS.get(node.function, _other) in (_telling, _sum, _either)
    return 1 + sum(parts for parts, _ in counted), plain and all(simple for _, simple in counted)


def _node(expr: Any) -> Node:
    kind = next((field.name for field, _ in expr.ListFields()), "")
    match kind:
        case "const_expr":
            return _Const(_constant(expr.const_expr))
        case "ident_expr":
            return _Name(expr.ident_expr.name)
        case "select_expr":
            field = expr.select_expr.field
            return _Part(_node(expr.select_expr.operand), _Const(Bulk(0.0, 0.0, among=(field,))))
        case "list_expr":
            return _Container(tuple(map(_node, expr.list_expr.elements)))
        case "struct_expr":
            entries = expr.struct_expr.entries
            return _Container(tuple(_node(part) for entry in entries for part in (entry.map_key, entry.value)))
        case "comprehension_expr":
            return _loop(expr.comprehension_expr)
    call = expr.call_expr
    if call.function == "_[_]":
        return _Part(_node(call.args[0]), _node(call.args[1]))
    target = [call.target] if call.HasField("target") else []
    return _Call(call.function, tuple(map(_node, [*target, *call.args])))


def _constant(const: Any) -> Bulk:
    for name in ("string_value", "bytes_value"):
        if const.HasField(name):
            value = getattr(const, name)
            return Bulk(PART + len(value), PART + len(value), among=(value,))
    return Bulk(among=(const.int64_value,)) if const.HasField("int64_value") else _SMALL


def _loop(loop: Any) -> _Loop:
    return _Loop(
        over=_node(loop.iter_range),
        variable=loop.iter_var,
        result=loop.accu_var,
        listed=loop.accu_init.HasField("list_expr"),
        first=_node(loop.accu_init),
        holds=_node(loop.loop_condition),
        step=_node(loop.loop_step),
        last=_node(loop.result),
    )
