"""From a file's data to its spec; one small function for each rule, every problem reported at once."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from schemas.nearest import nearest
from streams.errors import PipelineErrors, Problem, bounded
from streams.language.definition.inputs import read_inputs
from streams.language.definition.model import GRAMMAR, OPTIONS, BlockSpec, NodeKind, NodeSpec, PipelineSpec
from streams.language.source import document as yaml_source
from streams.language.source.document import Place, Source, written
from streams.language.source.identifiers import MAX_NAME, PIPELINE_NAME, wrong_name

TOP_KEYS = frozenset({"pipeline", "summary", "input", "nodes", "output", "tests", "timeout", "retain", "limit"})
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
MAX_DAYS = 3650
"""Days of a length of time: no calendar has the end of one that is much longer."""
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse(text: str, file: str = "pipeline") -> PipelineSpec:
    """Return the spec of one file, with everything that is wrong with its form.

    A pipeline without a usable name has the name "". Raises PipelineErrors when it has no form at all: it is not YAML,
    or not a mapping.
    """
    source = yaml_source.read(text, file)
    return _Parser(source).pipeline()


def duration(value: Any) -> float | None:
    """Return the seconds of `500ms`, `20s`, `5m`, `1h`, `7d` or a number of seconds; None for anything else, for 0 or less, and for more than MAX_DAYS."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    else:
        match = _DURATION.fullmatch(value) if isinstance(value, str) else None
        seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    return seconds if 0 < seconds <= MAX_DAYS * _SECONDS["d"] else None


def suggest(word: str, known: Iterable[str]) -> str:
    """Return a hint: `did you mean 'area'?`, or the names to choose from."""
    choices = sorted(known)
    close = nearest(word, choices)
    if close:
        return f"did you mean {close!r}?"
    return f"there is {', '.join(choices[:12])}{', …' if len(choices) > 12 else ''}" if choices else ""


class _Parser:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = list(source.problems)

    def refuse(self, place: Place, problem: str, hint: str = "") -> None:
        if not self.source.follows(place):
            self.problems.append(self.source.problem(place, problem, hint))
            bounded(self.problems)

    def pipeline(self) -> PipelineSpec:
        data = self.source.data
        if not isinstance(data, dict):
            self.refuse((), "the file is not a mapping", "a pipeline begins with `pipeline: its-name`")
            raise PipelineErrors(self.problems)
        self._only((), data, TOP_KEYS)
        name = self._pipeline_name(data.get("pipeline"))
        spec = PipelineSpec(
            source=self.source,
            name=name,
            summary=self._summary(data.get("summary", "")),
            inputs=read_inputs(data.get("input", {}), ("input",), self.refuse, suggest),
            block=self._block((), data),
            timeout=self._duration(("timeout",), data),
            retain=self._duration(("retain",), data),
            tests=data.get("tests"),
            limit=self._limit(data.get("limit")),
        )
        return replace(spec, problems=tuple(self.problems))

    def _only(self, place: Place, data: Mapping[str, Any], known: Iterable[str]) -> None:
        allowed = set(known)
        for key in data:
            if key not in allowed:
                self.refuse((*place, key), f"unknown key {key!r}", suggest(key, allowed))

    def _pipeline_name(self, name: Any) -> str:
        if not isinstance(name, str) or not PIPELINE_NAME.fullmatch(name) or len(name) > MAX_NAME:
            self.refuse(
                ("pipeline",),
                "a pipeline needs a name" if name is None else f"{written(name)} is no pipeline name",
                f"lower-case words joined by dashes, at most {MAX_NAME} characters: `pipeline: blur-women`",
            )
            return ""
        return name

    def _summary(self, text: Any) -> str:
        if not isinstance(text, str):
            self.refuse(("summary",), "a summary is one line of text")
            return ""
        return text

    def _duration(self, place: Place, data: Mapping[str, Any]) -> float | None:
        key = str(place[-1])
        seconds = duration(data[key]) if key in data else None
        if key in data and seconds is None:
            self.refuse(place, f"{written(data[key])} is not a duration", "write 500ms, 20s, 5m, 1h or 7d")
        return seconds

    def _limit(self, value: Any) -> int | None:
        if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
            return value
        self.refuse(("limit",), f"{written(value)} is no number of nodes, rounds and items", "write `limit: 50000`")
        return None

    def _block(self, place: Place, data: Any) -> BlockSpec:
        if not isinstance(data, dict):
            self.refuse(place, "a block is a mapping with `nodes:` and `output:`")
            return BlockSpec(place, (), None, silent=True)
        nodes = data.get("nodes", {})
        if "output" not in data:
            self.refuse(place, "the block has no output", 'say what it gives: `output: "${node.field}"`')
        if not isinstance(nodes, dict):
            self.refuse((*place, "nodes"), "nodes is a mapping from a node's name to the node")
            nodes = {}
        read = {name: self._node((*place, "nodes", name), name, node) for name, node in nodes.items()}
        unread = frozenset(name for name, node in read.items() if node is None)
        silent = "output" not in data or self.source.follows((*place, "output"))
        return BlockSpec(place, tuple(node for node in read.values() if node), data.get("output"), unread, silent)

    def _node(self, place: Place, name: str, data: Any) -> NodeSpec | None:
        wrong = wrong_name(name)
        if wrong:
            self.refuse(place, *wrong)
        if not isinstance(data, dict):
            self.refuse(place, "a node is a mapping", "such as `{service: image-blur, with: {…}}`")
            return None
        kinds = [kind for kind in NodeKind if kind.value in data]
        if len(kinds) > 1:
            self.refuse(place, f"a node has one kind, this has {', '.join(kind.value for kind in kinds)}")
            data = {key: value for key, value in data.items() if key not in kinds[1:]}
        elif not kinds:
            data = self._guessed(place, data)
            kinds = [kind for kind in NodeKind if kind.value in data]
            if not kinds:
                return None
        return NodeSpec(name, kinds[0], place, data, self._blocks(kinds[0], place, data))

    def _guessed(self, place: Place, data: dict[str, Any]) -> dict[str, Any]:
        """Return a node whose kind is mistyped as it was meant, so that the rest of it is checked too; empty when that is unclear."""
        for key in (name for name in data if name not in OPTIONS):
            close = nearest(key, [kind.value for kind in NodeKind])
            if close:
                self.refuse((*place, key), f"unknown key {key!r}", f"did you mean {close!r}?")
                return {close if name == key else name: value for name, value in data.items()}
        kinds = ", ".join(kind.value for kind in NodeKind)
        self.refuse(place, "the node does not say what it is", f"give it one of {kinds}")
        return {}

    def _blocks(self, kind: NodeKind, place: Place, data: Mapping[str, Any]) -> dict[str, BlockSpec]:
        grammar = GRAMMAR[kind]
        own = {"nodes", "output"} if grammar.body else set()
        self._only(
            place, data, {kind.value} | OPTIONS | grammar.required | grammar.optional | set(grammar.blocks) | own
        )
        for key in sorted(grammar.required - data.keys()):
            self.refuse(
                place,
                f"{kind.value} without {key}",
                f"say `{key}:`" + (" (a loop needs a bound)" if key == "max" else ""),
            )
        blocks = {}
        for key, needed in grammar.blocks.items():
            if key in data:
                self._only((*place, key), data[key] if isinstance(data[key], dict) else {}, {"nodes", "output"})
                blocks[key] = self._block((*place, key), data[key])
            elif needed:
                self.refuse(place, f"{kind.value} without {key}")
        if grammar.body:
            blocks[""] = self._block(place, data)
        return blocks
