"""YAML (or JSON) text as plain data, with the line and column of every place in it. YAML 1.2 core rules: `yes` is a string."""

import functools
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from streams.errors import PipelineErrors, Problem
from streams.language.source.locate import locate

Place = tuple[str | int, ...]
"""The keys and positions that lead from the file's root to a value."""

MAX_BYTES = 1 << 20
MAX_DEPTH = 60
_DEEPEST = 1000
"""Levels at which nothing is read any more: the YAML library goes down by recursion in C, and some ten thousand end the process."""

_BASES = {"0x": 16, "0o": 8}
_LONG = 60

_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
"""One character of JSON past 16 bits, as two escapes, which YAML does not know."""

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""Where a line ends for the YAML reader, which counts them."""


class _Composer(yaml.CSafeLoader):
    """Only the core schema of YAML 1.2, so that `no`, `on` and `12:30` stay strings."""


_Composer.yaml_implicit_resolvers = {}

for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("tag:yaml.org,2002:float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("tag:yaml.org,2002:float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+."),
):
    _Composer.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), list(_first))


@dataclass(frozen=True)
class Source:
    """A file's text as data, and the place of each value in it."""

    file: str
    text: str
    data: Any
    marks: dict[Place, tuple[int, int]]
    problems: tuple[Problem, ...] = ()
    """What is wrong with the YAML itself; what could be read is in `data` all the same."""
    spoiled: frozenset[Place] = frozenset()
    """Places whose value could not be read; what is said of them would only follow from that."""

    @functools.cached_property
    def lines(self) -> list[str]:
        """The text line by line."""
        return _BREAK.split(self.text)

    def problem(self, place: Place, problem: str, hint: str = "", offset: int | None = None) -> Problem:
        """Return a problem at a place, or at this character of the string there; an unmarked place is where what encloses it is."""
        at = place
        while at and at not in self.marks:
            at = at[:-1]
        line, column = self.marks.get(at, (0, 0))
        if offset is not None and line and at == place:
            line, column = locate(self.lines, line, column, self._string(place), offset)
        return Problem(self.file, line, column, dotted(place), problem, hint)

    def _string(self, place: Place) -> str:
        value = self.data
        for key in place:
            value = value[key]
        return value if isinstance(value, str) else ""

    def follows(self, place: Place) -> bool:
        """Return whether a problem at this place only follows from a value that could not be read."""
        return bool(self.spoiled) and any(place[:length] in self.spoiled for length in range(len(place) + 1))


def dotted(place: Place) -> str:
    """Write a place as text: `nodes.blur.with.areas[0]`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def written(value: Any) -> str:
    """Return a value as a file writes it, shortened: texts in quotes, `null`, `{"a": 1}`."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"


def split(where: str) -> Place:
    """Return the place that a dotted text means: the inverse of `dotted`."""
    parts = re.findall(r"[^.\[\]]+|\[\d+\]", where)
    return tuple(int(part[1:-1]) if part.startswith("[") else part for part in parts)


def read(text: str, file: str) -> Source:
    """Parse one document. Raises PipelineErrors for text that is not YAML or too large; what else is wrong is in `problems`."""
    if len(text.encode()) > MAX_BYTES:
        raise PipelineErrors(
            [Problem(file, 0, 0, "", f"the file is larger than {MAX_BYTES} bytes", "split the pipeline")]
        )
    text = _joined(text)
    try:
        builder = _Builder(file, _tags(text, file))
        loader = _Composer(text)
        try:
            root = loader.get_single_node()
            data = None if root is None else builder.build(root, ())
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line, column = _place(error.problem_mark or error.context_mark, text)
        raise PipelineErrors([Problem(file, line, column, "", f"not YAML: {error.problem or error.context}")]) from None
    except (yaml.YAMLError, ValueError) as error:
        raise PipelineErrors([Problem(file, 0, 0, "", f"not YAML: {error}")]) from None
    return Source(file, text, data, builder.marks, tuple(builder.problems), frozenset(builder.spoiled))


def _joined(text: str) -> str:
    """Replace every pair of escapes in JSON that stands for one character by that character."""
    if not text.lstrip().startswith("{"):
        return text
    return _PAIR.sub(lambda pair: pair[1] + _character(pair[2], pair[3]), text)


def _character(high: str, low: str) -> str:
    return bytes.fromhex(high + low).decode("utf-16-be")


def _tags(text: str, file: str) -> dict[tuple[int, int], str]:
    """Return the tags that are written out, by the line and column of what follows them.

    Raises PipelineErrors for a text that cannot even be read to say what is wrong with it.
    """
    depth = 0
    tags: dict[tuple[int, int], str] = {}
    for event in yaml.parse(text, Loader=_Composer):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            problem = f"nested deeper than {MAX_DEPTH} levels"
            raise PipelineErrors([Problem(file, *_start(event), "", problem)])
        tag = getattr(event, "tag", None)
        if tag is not None:
            tags[_start(event)] = tag.replace("tag:yaml.org,2002:", "!!")
    return tags


def _place(mark: yaml.Mark | None, text: str) -> tuple[int, int]:
    """Return line and column of a mark; the end of the text for one behind it, where an unclosed bracket is noticed."""
    if mark is None:
        return 0, 0
    lines = _BREAK.split(text.rstrip())
    return (mark.line + 1, mark.column + 1) if mark.line < len(lines) else (len(lines), len(lines[-1]) + 1)


class _Builder:
    """Nodes as data; what is wrong with them is collected."""

    def __init__(self, file: str, tags: Mapping[tuple[int, int], str]) -> None:
        """`tags`: those that are written out, by line and column."""
        self.file, self.tags = file, tags
        self.marks: dict[Place, tuple[int, int]] = {}
        self.problems: list[Problem] = []
        self.spoiled: set[Place] = set()
        self._seen: set[int] = set()

    def build(self, node: yaml.Node, place: Place) -> Any:
        """Return the value of a node; None for one that cannot be read."""
        self.marks[place] = at = _start(node)
        if at in self.tags:
            self._spoil(place, f"YAML tags such as {self.tags[at]} are not part of the language", _UNTAGGED)
            return None
        if len(place) > MAX_DEPTH:
            self._spoil(place, f"nested deeper than {MAX_DEPTH} levels")
            return None
        if not isinstance(node, yaml.ScalarNode):
            if id(node) in self._seen:
                hint = "write the value out, or make it a pipeline of its own"
                self._spoil(place, "YAML aliases are not part of the language", hint)
                return None
            self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*place, i)) for i, child in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            try:
                return _scalar(node)
            except ValueError as error:
                self._spoil(place, f"{node.value[:40]} is {error}", "with a point it is a float, in quotes a text")
        return None

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else ""
            at = _start(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(Problem(self.file, *at, dotted(place), "a key must be a plain word"))
            elif at in self.tags:
                problem = f"YAML tags such as {self.tags[at]} are not part of the language"
                self.problems.append(Problem(self.file, *at, dotted((*place, key)), problem, _UNTAGGED))
            elif key in data:
                problem = f"the key {key!r} stands here twice"
                self.problems.append(Problem(self.file, *at, dotted((*place, key)), problem))
            else:
                data[key] = self.build(value_node, (*place, key))
        return data

    def _spoil(self, place: Place, problem: str, hint: str = "") -> None:
        self.problems.append(Problem(self.file, *self.marks[place], dotted(place), problem, hint))
        self.spoiled.add(place)


_UNTAGGED = "leave the tag out; in quotes, a value is a text as it stands"


def _start(node: yaml.Node | yaml.Event) -> tuple[int, int]:
    mark = node.start_mark
    return (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)


def _scalar(node: yaml.ScalarNode) -> Any:
    """Return the value of a scalar. Raises ValueError, which says what it is not, for a number that no value can hold."""
    kind = node.tag.rpartition(":")[2]
    if kind == "int":
        # Python refuses to read thousands of digits, in words of its own.
        whole = int(node.value, _BASES.get(node.value[:2], 10)) if len(node.value) < _LONG else 2**64
        if not -(2**63) <= whole < 2**63:
            raise ValueError("no number of 64 bits")
        return whole
    if kind == "float":
        if node.value[-1:] in "fFnN":  # .inf, .nan
            raise ValueError("no finite number")
        number = float(node.value)
        if not math.isfinite(number):
            raise ValueError("no number of 64 bits")
        return number
    if kind == "bool":
        return node.value.lower() == "true"
    return None if kind == "null" else node.value


def strings(value: Any, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Yield every string inside a value, with its place."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, child in value.items():
            yield from strings(child, (*place, key))
    elif isinstance(value, list):
        for i, child in enumerate(value):
            yield from strings(child, (*place, i))
