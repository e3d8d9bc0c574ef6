"""An expression: its text as CEL evaluates it, the names it reads, and which of them must be there."""

import ctypes
import functools
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from cel_expr_python import cel
from cel_expr_python.ext import ext_math, ext_strings

from streams.errors import Blame, EvaluationError, MillraceError
from streams.language.expressions import ast, chunked_lists, first, hints, plain_values
from streams.language.expressions import cost as price
from streams.language.expressions.cost import MAX_STEPS as MAX_STEPS
from streams.language.expressions.value_limits import LARGEST, PART, WORK, Room, too_large, too_much
from streams.language.source.identifiers import CEL_TYPES

MAX_LENGTH = 4096
"""Characters of one expression."""
TOO_LONG_HINT = "split it over value nodes"
MAX_DEPTH = 3
"""How deep comprehensions (`map`, `filter`, `exists`, `all`) may nest."""
MAX_NESTING = 32
"""How deep an expression may nest in all: CEL itself stops there. Every `+` of a sum is a level, `&&` and `||` are not."""

EXTENSIONS = (ext_math.ExtMath(), ext_strings.ExtStrings())
_ENV = cel.NewEnv(extensions=EXTENSIONS)
_POSITION = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_EXPECTING = re.compile(r" expecting .*$", re.DOTALL)
_TOO_NESTED = re.compile(r"recursion (?:depth|limit)")
_CODES = re.compile(r"^[A-Z_]+: |\s*\[[A-Z_]+\]$")
_SELECTED = re.compile(r"expression of type '(.*)' cannot be the operand of a select operation")
_NO_OVERLOAD_FOUND = re.compile(r"No matching overloads found : (\S+?)\((.*)\)")
_NO_OVERLOAD = re.compile(r"found no matching overload for '([^']*)' applied to '\(([^']*)\)'")


class BadExpression(MillraceError, ValueError):
    """An expression is not right; `offset` counts characters from its start."""

    blame = Blame.AUTHOR

    def __init__(self, message: str, offset: int = 0, hint: str = "") -> None:
        self.offset = offset
        self.hint = hint
        self.others: tuple[BadExpression, ...] = ()
        """What else is wrong with the same expression."""
        super().__init__(message)

    def reword(self, say: Callable[[str], tuple[str, str] | None]) -> None:
        """Change the messages of this error and of `others`; `say` returns message and hint, or None to keep them."""
        for problem in (self, *self.others):
            words = say(str(problem))
            if words:
                problem.args, problem.hint = (words[0],), words[1]


class Condition(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which names must be there: all of `names`, and for each choice one of its sides."""

    names: frozenset[str] = frozenset()
    choices: tuple[tuple["Condition", ...], ...] = ()

    def met(self, missing: frozenset[str]) -> bool:
        """Return whether the condition holds when the names in `missing` are not there."""
        return not (self.names & missing) and all(any(side.met(missing) for side in sides) for sides in self.choices)

    def read(self) -> frozenset[str]:
        """Return every name in the condition."""
        return self.names.union(*(side.read() for sides in self.choices for side in sides))

    def __and__(self, other: "Condition") -> "Condition":
        return Condition(self.names | other.names, self.choices + other.choices)


class Expression(msgspec.Struct, frozen=True, omit_defaults=True, tag="cel"):
    """A checked expression. `needs` says when it can be evaluated; each marker says which operand of a `first()` is there."""

    text: str
    needs: Condition
    markers: tuple[tuple[str, Condition], ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """Every name that the expression may read."""
        return self.needs.read()

    def evaluate(self, values: Mapping[str, Any], room: Room | None = None) -> Any:
        """Return the value, as plain data, with `values` by name; a name that is not among them is absent.

        `room`: what is left for a larger value that this is a part of. Raises EvaluationError.
        """
        room = room or Room()
        path = plain_values.path(self.text)
        value = plain_values.at(path, values) if path else plain_values.ABSENT
        if value is not plain_values.ABSENT:
            return _passed(self.text, value, room)
        names = self.names
        values = plain_values.sound({name: values[name] for name in names if name in values})
        if self.markers:
            missing = names - values.keys()
            values = {**values, **{marker: condition.met(missing) for marker, condition in self.markers}}
        chain = chunked_lists.chain(self.text)
        items = chunked_lists.long(chain, values) if chain else None
        if items is None or chain is None:
            return _evaluate(self.text, values, room)
        return _in_pieces(chain, items, values, room)


@functools.lru_cache(maxsize=8192)
def parse(text: str) -> Expression:
    """Parse the text of an expression: its names are read, its types are not yet checked. Raises BadExpression."""
    if len(text) > MAX_LENGTH:
        raise BadExpression(f"the expression is longer than {MAX_LENGTH} characters", hint=TOO_LONG_HINT)
    expanded = expand(text)
    reading = ast.read(compile_text(_ENV, expanded, check=False).serialize(), frozenset(expanded.markers))
    if reading.depth > MAX_DEPTH:
        raise BadExpression(
            f"comprehensions nest deeper than {MAX_DEPTH}", hint="compute the inner part in a value node"
        )
    if reading.types:
        raise BadExpression(f"{min(reading.types)}{{…}} is not part of the language", hint="write a value node instead")
    markers: list[tuple[str, Condition]] = []
    needs = _condition(reading, markers)
    return Expression(expanded.text, needs, tuple(markers))


def expand(text: str) -> first.Expanded:
    """Replace each `first()` by a conditional expression. Raises BadExpression."""
    try:
        return first.expand(text)
    except first.BadFirst as error:
        raise BadExpression(
            str(error), error.offset, "first(a, b) gives the first operand that was not skipped"
        ) from None


def _condition(reading: ast.Reading, markers: list[tuple[str, Condition]]) -> Condition:
    choices = []
    for choice in reading.choices:
        left, right = _condition(choice.left, markers), _condition(choice.right, markers)
        markers.append((choice.marker, left))
        choices.append((left, right))
    return Condition(frozenset(reading.names - CEL_TYPES), tuple(choices))


def compile_text(env: cel.Env, expanded: first.Expanded, check: bool) -> cel.Expression:
    """Compile an expression with CEL. Raises BadExpression with the place in what the author wrote."""
    try:
        return env.compile(expanded.text, disable_check=not check)
    except RuntimeError as error:
        # A message about "*error*" follows from another one.
        problems = [problem for problem in _POSITION.finditer(str(error)) if "*error*" not in problem[3]]
        first, *others = [_located(problem, expanded) for problem in problems] or [_unlocated(str(error))]
        first.others = tuple(others)
        raise first from None


def _located(problem: re.Match[str], expanded: first.Expanded) -> BadExpression:
    row, column, message = int(problem[1]), int(problem[2]), problem[3].removesuffix(" [INVALID_ARGUMENT]")
    lines = expanded.text.split("\n")
    offset = sum(len(line) + 1 for line in lines[: row - 1]) + max(column - 1, 0)
    if expanded.markers and expanded.text.count("?") == len(expanded.markers):
        message = message.replace("'_?_:_'", "'first'").replace("'(bool, ", "'(")
    message, hint = _explain(message)
    if message.startswith("Syntax error"):
        hint = hint or hints.operator(expanded.text)
    return BadExpression(message, expanded.original(offset), hint)


def _unlocated(message: str) -> BadExpression:
    message, hint = _explain(message)
    return BadExpression(message, hint=hint)


def _explain(message: str) -> tuple[str, str]:
    """Return CEL's message in the words of the language, and what the expression's author can do."""
    if _TOO_NESTED.search(message):
        hint = "each + is a level, and each operand of first(): compute a part in a value node, or in a list"
        return f"the expression nests deeper than {MAX_NESTING} levels", hint
    overload = _NO_OVERLOAD.search(message)
    if overload:
        operator, kinds = overload[1].replace("_", " ").strip(), overload[2]
        hint = (
            "int and float do not mix: write 2.0, or double(x)" if {"int", "double"} <= set(kinds.split(", ")) else ""
        )
        if "?" in operator or operator == "first":
            hint = hint or "both sides of a choice must have one type"
        if operator == "+" and "string" in kinds:
            hint = hint or "write string(x)"
        if operator == "[ ]":
            hint = "a position in a list is an int, a key of a map a string"
        return f"{operator!r} cannot be applied to ({_words(kinds)})", hint
    if message.startswith("undeclared reference to 'secret'"):
        return "a secret cannot stand here", "only a header of an http node may hold \"${secret('name')}\""
    if message.startswith("undeclared reference to"):
        known = hints.FUNCTIONS.get(message.split("'")[1])
        hint = f"write {known}" if known else "there is no such function, or not for values of these types"
        return message.replace(" (in container '')", ""), hint
    selected = _SELECTED.fullmatch(message)
    if selected:
        kind = _words(selected[1])
        hint = "one of a list is xs[0], all of them are xs.map(x, x.field)" if kind.startswith("list") else ""
        return f"{kind} has no fields", hint
    message = _EXPECTING.sub("", message).replace("mismatched input '<EOF>'", "the expression ends too early")
    return message.replace(" (in container '')", "").replace("'m.", "'"), ""


def _words(kinds: str) -> str:
    """Replace CEL's names of types in a text by those of the language."""
    return kinds.replace("double", "float").replace("int64", "int").replace("null_type", "null").replace("m.", "")


@functools.lru_cache(maxsize=8192)
def _program(text: str) -> cel.Expression:
    return _ENV.compile(text, disable_check=True)


def written(number: float) -> str:
    """Write a number as `string()` does, so that there is one way to write it in a text."""
    text: str = _program("string(number)").eval(data={"number": number}).plain_value()
    return text


def _passed(text: str, value: Any, room: Room) -> Any:
    """Return a value that is handed on as it is, after counting its size against `room`. Raises EvaluationError."""
    try:
        size = room.budget.sizes.of(value)
    except RecursionError:
        raise plain_values.too_deep() from None
    try:
        room.take(size)
        room.budget.take(size)
    except EvaluationError as error:
        raise EvaluationError(f"{text}: {error}", error.hint) from None
    return value


def _evaluate(text: str, values: Mapping[str, Any], room: Room) -> Any:
    _afford(text, values, room)
    try:
        return _result(text, values, room)
    except RuntimeError as error:
        raise _failed(text, str(error)) from None
    except MemoryError:
        raise too_large(text) from None
    except (TypeError, ValueError) as error:  # what the library cannot turn into a Python object
        raise EvaluationError(f"{text}: {str(error).partition(chr(10))[0]}") from None


@functools.lru_cache(maxsize=8192)
def _priced(text: str) -> price.Priced:
    return price.read(_program(text).serialize())


def _afford(text: str, values: Mapping[str, Any], room: Room) -> None:
    """Charge for an expression before CEL evaluates it: its result might already fill the memory. Raises EvaluationError."""
    cost, largest = _priced(text).of(values, room.budget.sizes)
    if cost > WORK:
        raise too_large(text) if largest > LARGEST else too_much(text)
    try:
        room.budget.take(cost)
    except EvaluationError as error:
        raise EvaluationError(f"{text}: {error}", error.hint) from None


def _result(text: str, values: Mapping[str, Any], room: Room) -> Any:
    result = _program(text).eval(data=values)
    if result.type() == cel.Type.ERROR:
        raise _failed(text, str(result.plain_value()))
    try:
        return _plain(result.plain_value(), room)
    except EvaluationError as error:
        raise EvaluationError(f"{text}: {error}", error.hint) from None


def _in_pieces(chain: chunked_lists.Chain, items: list[Any], values: Mapping[str, Any], room: Room) -> Any:
    """Evaluate a chain of `map` and `filter` in a time that grows with the list, not with its square. Raises EvaluationError."""
    try:
        for call in chain.calls:
            if len(items) > MAX_STEPS:
                raise EvaluationError(f"{call}: {_TOO_FAR}")
            part = Room(room.budget) if chain.tail or call is not chain.calls[-1] else room
            items = [
                item
                for piece in chunked_lists.pieces(items)
                for item in _evaluate(call, {**values, chunked_lists.ITEMS: piece}, part)
            ]
        return _evaluate(chain.tail, {**values, chunked_lists.ITEMS: items}, room) if chain.tail else items
    except EvaluationError as error:
        raise EvaluationError(str(error).replace(chunked_lists.ITEMS, ".".join(chain.path), 1), error.hint) from None


_TOO_FAR = f"map, filter, exists and all of one expression go through {MAX_STEPS:,} items at most: use each"


def _failed(text: str, message: str) -> EvaluationError:
    """Describe what failed on real values, in the words of the language where CEL's are only its own."""
    hint = ""
    overload = _NO_OVERLOAD_FOUND.search(message)
    if "Iteration budget exceeded" in message:
        message = _TOO_FAR
    elif "SELECT to non-message" in message:
        message, hint = "the value before a dot is null or not a record", "ask before: x != null && x.y > 0"
    elif overload:
        operator, kinds = overload[1].replace("_", " ").strip(), _words(overload[2])
        hint = "int and float do not mix: write double(x)" if {"int", "float"} <= set(kinds.split(", ")) else ""
        message = f"{operator!r} cannot be applied to ({kinds})"
    return EvaluationError(f"{text}: {_CODES.sub('', message)}", hint)


_NONE = ctypes.py_object(None)
_COUNTED = sys.version_info < (3, 12)
"""Whether None has a count of references that can run out; from 3.12 on it lives forever."""


def _plain(value: Any, room: Room) -> Any:
    """Return only what a record can carry: CEL's own kinds become numbers and strings. Raises EvaluationError."""
    if isinstance(value, str | bytes | bytearray):
        room.take(PART + len(value))
        return bytes(value) if isinstance(value, bytearray) else value
    room.take(PART)
    if value is None:
        if _COUNTED:  # cel-expr-python 0.1.3 hands out None without a reference of its own: thousands end the process
            ctypes.pythonapi.Py_IncRef(_NONE)
        return None
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, list):
        return [_plain(inner, room) for inner in value]
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise EvaluationError("a map in an expression must have string keys")
        return {key: _plain(inner, room) for key, inner in value.items()}
    if hasattr(value, "total_seconds"):
        return float(value.total_seconds())
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    raise EvaluationError(f"an expression gave a {type(value).__name__}, which no record can carry")
