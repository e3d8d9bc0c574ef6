"""Compile one node: what its kind may ask for, and the options that every node has."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from schemas.encoding.codec import Nonconforming, conform
from streams.compile.compilation import Compilation
from streams.compile.graph import Graph
from streams.compile.scope import Name, Scope
from streams.errors import EvaluationError, Problem
from streams.language import template
from streams.language.definition import references
from streams.language.definition.model import BlockSpec, NodeSpec, PipelineSpec
from streams.language.definition.parse import duration, suggest
from streams.language.expressions import expression as cel
from streams.language.expressions import hints, reserved_words
from streams.language.expressions.expression import BadExpression, Condition, Expression
from streams.language.source.document import Place, Source, split, strings, written
from streams.language.source.identifiers import wrong_name
from streams.language.template import BadTemplate, Template
from streams.language.topology import OnError, Retry, Vertex, Wait, vertex_id
from streams.language.types import (
    ANY,
    BOOL,
    STRING,
    Field,
    Kind,
    Type,
    common,
    conversion,
    list_of,
    mismatch,
    record_of,
    record_schema,
)
from streams.nodes.building import Closing, Signature

MAX_ATTEMPTS = 20
MAX_PARTS = 5_000
"""Fields of a type, including those of nested records: nesting a record twice in the next one doubles them each time."""


@dataclass
class NodeBuilder:
    """One node while it is compiled: what its kind may ask for (`streams.nodes.building.Builder`)."""

    compiler: Compilation
    spec: NodeSpec
    scope: Scope
    source: Source
    chain: tuple[str, ...]

    @property
    def id(self) -> str:
        """The id of the node's vertex."""
        return vertex_id(self.scope.block, self.spec.name)

    @property
    def vertex_count(self) -> int:
        """How many vertices the whole topology has so far."""
        return len(self.compiler.vertices)

    def with_keys(self, keys: Mapping[str, Any]) -> "NodeBuilder":
        """Return the same builder for a node with these keys."""
        return replace(self, spec=replace(self.spec, keys=keys))

    def place(self, *keys: str | int) -> Place:
        """Return a place inside the node."""
        return (*self.spec.place, *keys)

    def refuse(self, place: Place, problem: str, hint: str = "", offset: int | None = None) -> None:
        """Report a problem and go on."""
        self.compiler.refuse(self.source, place, problem, hint, offset)

    def report(self, problems: Iterable[Problem]) -> None:
        """Report problems that were found elsewhere, such as in another pipeline's file."""
        self.compiler.problems.extend(problems)

    def new_name(self, place: Place, name: str) -> None:
        """Report a name that the node introduces in its body and that is not allowed there."""
        error = wrong_name(name)
        if error:
            self.refuse(place, *error)
        elif self.scope.has(name):
            self.refuse(place, f"{name!r} is already a name here", "choose another")

    def template(
        self, place: Place, value: Any, expected: Type | None = None, exact: bool = False
    ) -> tuple[Template, Type]:
        """Read a piece of YAML as a template and return it with its type. Names, types and the expected type are checked."""
        if self.source.follows(place):
            return template.Const(None), ANY
        try:
            read = template.read(value, place)
        except BadTemplate:
            self._refuse_each(value, place)
            return template.Const(None), ANY
        return read, self.typed(value, place, expected, exact)

    def _refuse_each(self, value: Any, place: Place) -> None:
        """Report every wrong expression inside a value, not only the first."""
        for at in template.computed_keys(value, place):
            self.refuse(at, template.COMPUTED, template.COMPUTED_HINT)
        for at, text in strings(value, place):
            try:
                pieces = template.pieces(text)
            except BadExpression as error:
                self.refuse(at, str(error), error.hint, error.offset)
                continue
            for piece, offset, code in pieces:
                if code:
                    self._checked(piece, at, offset)

    def _checked(self, text: str, place: Place, offset: int) -> Type:
        """Return the type of an expression; report what is wrong with it, including its syntax."""
        try:
            cel.parse(text)
        except BadExpression as error:
            self.refuse(place, str(error), error.hint, offset + error.offset)
            return ANY
        return self._check(text, place, offset)

    def typed(self, value: Any, place: Place, expected: Type | None, exact: bool) -> Type:
        """Return the type of a value; check each of its parts against the expected type."""
        if isinstance(value, list) and expected and expected.kind is Kind.LIST:
            item = expected.item
            return list_of(
                template.merged([self.typed(part, (*place, i), item, exact) for i, part in enumerate(value)])
            )
        if isinstance(value, dict) and expected and expected.kind is Kind.RECORD and expected.fields:
            return self._record(value, place, expected, exact)
        kind = self._text(value, place) if isinstance(value, str) else template.type_of(value, place, self._check)
        problem = mismatch(kind, expected, exact=exact) if expected else None
        if problem and expected:
            self.refuse(place, problem, _literal_hint(value, expected) or conversion(kind, expected))
        return kind

    def _text(self, value: str, place: Place) -> Type:
        """Return the type of a text, or of the expression that it consists of; report what cannot stand inside a text."""
        pieces = template.pieces(value)
        kinds = [(self._check(piece, place, offset), offset) for piece, offset, code in pieces if code]
        if len(pieces) == 1 and kinds:
            return kinds[0][0]
        for kind, offset in kinds:
            if kind.kind in (Kind.LIST, Kind.MAP, Kind.RECORD, Kind.IMAGE, Kind.BYTES, Kind.NULL):
                problem = f"{kind.brief()} cannot stand inside a text, a string or number is expected"
                self.refuse(place, problem, "let the expression stand alone, or give one of its parts", offset)
        return STRING

    def _record(self, value: dict[str, Any], place: Place, expected: Type, exact: bool) -> Type:
        kinds: dict[str, Type] = {}
        for name, item in value.items():
            wanted = expected.field(name)
            if wanted is None:
                self.refuse(
                    (*place, name), f"{name} is too much: {expected} is expected", _field_name_hint(name, expected)
                )
            kinds[name] = self.typed(item, (*place, name), wanted.type if wanted else None, exact)
        self.complete(value, place, expected)
        return record_of(kinds)

    def complete(self, value: Mapping[str, Any], place: Place, expected: Type) -> None:
        """Report the fields that a record lacks."""
        for wanted in expected.fields:
            if wanted.required and wanted.name not in value:
                problem = f"{wanted.name} ({wanted.type}) is missing: {expected} is expected"
                self.refuse(place, problem, f"add {wanted.name}")

    def bounds(self, literal: Template, wanted: Field, place: Place) -> None:
        """Report a literal value that a contract does not allow."""
        if not any(template.expressions(literal)):
            try:
                conform(record_schema("Given", (wanted,)), {wanted.name: template.evaluate(literal, {})})
            except Nonconforming as error:
                for problem in error.problems:
                    inside = split(problem.where)[1:]
                    self.refuse((*place, *inside), problem.problem, problem.hint)

    def loose(self, key: str) -> None:
        """Check the expressions under a key whose expected type is unknown."""
        if key in self.spec.keys:
            self.template(self.place(key), self.spec.keys[key])

    def expression(self, place: Place, text: Any, expected: Type) -> Expression:
        """Read bare CEL of an expected type."""
        if isinstance(text, bool):
            text = "true" if text else "false"
        if not isinstance(text, str):
            self.refuse(place, f"{written(text)} is not an expression", "write CEL, without ${…}")
            return Expression("false", Condition())
        if text.strip().startswith("${"):
            self.refuse(place, "this place holds bare CEL", "remove the ${…}")
            self._refuse_each(text, place)
            return Expression("false", Condition())
        try:
            parsed = cel.parse(text)
        except BadExpression as error:
            self.refuse(place, str(error), error.hint, error.offset)
            return Expression("false", Condition())
        kind = self._check(text, place, 0)
        problem = mismatch(kind, expected)
        if problem:
            self.refuse(place, problem, conversion(kind, expected))
        elif _is_false(parsed):
            self.refuse(
                place, "this is never true, so what depends on it is never reached", "remove the node or the condition"
            )
        return parsed

    def _check(self, text: str, place: Place, offset: int) -> Type:
        """Return the type of an expression; report unknown names and wrong types, but not its syntax."""
        scope = self.scope
        try:
            parsed = cel.parse(text)
        except BadExpression:
            return ANY  # the caller that parsed it first has reported it
        read = parsed.names
        unknown = sorted(name for name in read if name not in scope.names)
        for name in unknown:
            at = offset + reserved_words.position(text, name)
            self.refuse(place, f"unknown name {name!r}", _foreign_name_hint(name) or suggest(name, scope.names), at)
        known = scope.types(read.difference(unknown))
        try:
            kind = self.compiler.checker.check(text, {**known, **dict.fromkeys(unknown, ANY)})
        except BadExpression as error:
            for problem in (error, *error.others):
                hint = problem.hint or _field_hint(str(problem), scope)
                self.refuse(place, str(problem), hint, offset + problem.offset)
            return ANY
        return ANY if unknown else _path_type(text, scope) or kind

    def refs(self, *templates: Template | None) -> dict[str, str]:
        """Return the context keys of the names that templates read, by name."""
        names = template.needs(*templates).read()
        return {name: self.scope.names[name].key for name in sorted(names) if name in self.scope.names}

    def require(self, place: Place, checked: Template, reader: str) -> None:
        """Report names that `reader` cannot do without and that may be skipped."""
        needs = template.needs(checked)
        missing = self.scope.skippable(needs.read())
        if not needs.met(missing):
            names = ", ".join(sorted(missing))
            strict = bool(needs.names & missing)
            hint = "give a second choice: first(a, b)" if strict else "end first() with what is always there"
            self.refuse(place, f"{reader} reads {names}, which may be skipped", hint)

    def block(
        self,
        key: str,
        block: str,
        variables: Mapping[str, Type],
        loop: bool = False,
        body: BlockSpec | None = None,
        isolated: PipelineSpec | None = None,
        closing: Closing | None = None,
    ) -> Type:
        """Compile one of the node's blocks; return the type of its output."""
        spec = body or self.spec.blocks[key]
        inner = self.scope.inner(block, variables, self.id if loop else None, isolated is not None)
        source = isolated.source if isolated else self.source
        chain = (*self.chain, isolated.name) if isolated else self.chain
        return self.compiler.block(spec, inner, self.id, source, chain, closing)

    def vertex(self, edges: Graph) -> Name:
        """Build the node and add its vertex; return the name under which other nodes see it."""
        keys = self.spec.keys
        sources = tuple(vertex_id(self.scope.block, source) for source in edges.sources[self.spec.name])
        wait, deadline = self._wait(sources)
        absent = self._absent_by_first(edges) if wait is Wait.ANY else {}
        builder = replace(self, scope=self.scope.uncertain(frozenset().union(*absent.values()))) if absent else self
        when = self.expression(self.place("when"), keys["when"], BOOL) if "when" in keys else None
        built = self.compiler.builders[self.spec.kind](builder)
        if built is None:
            return Name(self.id, ANY)
        if not built.type.within(MAX_PARTS):
            hint = "leave out unused fields, or name the fields that are needed"
            self.refuse(self.spec.place, f"the type of its value has more than {MAX_PARTS:,} parts", hint)
            return Name(self.id, ANY)
        on_error, kind = self._on_error(built.type)
        needs = template.needs(*built.templates, when)
        if self._refuse_absent(absent, needs):
            absent = {}
        self.compiler.vertices[self.id] = Vertex(
            id=self.id,
            block=self.scope.block,
            work=built.work,
            refs=self.refs(*built.templates, when, on_error.value),
            needs=needs,
            when=when,
            sources=sources,
            loops=self.scope.loops,
            wait=wait,
            deadline=deadline,
            on_error=on_error,
            type=str(kind),
        )
        skips = built.skippable or when is not None or on_error.action == "skip"
        return Name(self.id, kind, skips or self._may_miss(needs, absent))

    def _wait(self, sources: tuple[str, ...]) -> tuple[Wait, float | None]:
        keys = self.spec.keys
        wait = keys.get("wait", Wait.ALL.value)
        if wait not in (Wait.ALL, Wait.ANY):
            self.refuse(self.place("wait"), f"wait is all or any, not {written(wait)}")
            wait = Wait.ALL
        deadline = self.seconds("deadline")
        for key in ("wait", "deadline"):
            if key in keys and len(sources) < 2 and (key == "deadline" or wait == Wait.ANY):
                self.refuse(
                    self.place(key), f"{key} needs two or more nodes to wait for", "this node waits for one at most"
                )
        return Wait(wait), deadline

    def _absent_by_first(self, edges: Graph) -> dict[str, frozenset[str]]:
        """Map each node that may deliver first to this one, which waits for any, to the names that are absent then."""
        read = references.node_reads(self.spec) & edges.known.keys()
        return {source: read - edges.implied(source) for source in edges.sources[self.spec.name]}

    def _refuse_absent(self, absent: Mapping[str, frozenset[str]], needs: Condition) -> bool:
        """Report names that a node with `wait: any` needs and that may be absent when it continues; return whether there are any."""
        unmet = {source: needs.read() & missing for source, missing in absent.items() if not needs.met(missing)}
        strict = needs.names & frozenset().union(*unmet.values())
        for name in sorted(strict):
            self.refuse(self.spec.place, f"with wait: any, {name} may not be there yet", f"read it as first({name}, …)")
        if unmet and not strict:
            source, missing = min(unmet.items())
            problem = f"with wait: any, {' and '.join(sorted(missing))} may be missing when only {source} has finished"
            self.refuse(self.spec.place, problem, "give each first() an operand that is always there")
        return bool(unmet)

    def _may_miss(self, needs: Condition, absent: Mapping[str, frozenset[str]]) -> bool:
        """Return whether something that the node needs may be missing, so that the node is skipped."""
        skippable = self.scope.skippable(needs.read())
        if self.scope.skippable(absent) == absent.keys() and not needs.met(skippable):
            return True  # all the nodes that it waits for may be skipped at once
        return any(not needs.met(missing | (skippable - {source})) for source, missing in absent.items())

    def _on_error(self, kind: Type) -> tuple[OnError, Type]:
        value = self.spec.keys.get("on_error", "fail")
        if value in ("fail", "skip"):
            return OnError(value), kind
        if isinstance(value, dict) and set(value) == {"use"}:
            place = self.place("on_error", "use")
            replacement, other = self.template(place, value["use"])
            both = kind if mismatch(other, kind, exact=True) is None else common(kind, other)
            if both is None:
                self.typed(value["use"], place, kind, exact=True)  # reports the part that is wrong
            return OnError("use", replacement), both or kind
        self.refuse(self.place("on_error"), f"on_error is fail, skip or {{use: value}}, not {written(value)}")
        return OnError(), kind

    def seconds(self, key: str) -> float | None:
        """Read a duration among the node's keys, in seconds; None without one."""
        if key not in self.spec.keys:
            return None
        seconds = duration(self.spec.keys[key])
        if seconds is None:
            self.refuse(
                self.place(key),
                f"{written(self.spec.keys[key])} is not a duration",
                "write 500ms, 20s, 5m, 1h or 7d",
            )
        return seconds

    def retry(self) -> Retry:
        """Read the node's `retry:`."""
        data = self.spec.keys.get("retry")
        if data is None:
            return Retry()
        if not isinstance(data, dict) or not set(data) <= {"attempts", "backoff"}:
            self.refuse(
                self.place("retry"), "retry is {attempts: N, backoff: time}", "such as {attempts: 5, backoff: 1s}"
            )
        if not isinstance(data, dict):
            return Retry()
        attempts, backoff = data.get("attempts", 3), duration(data.get("backoff", "1s"))
        if not isinstance(attempts, int) or isinstance(attempts, bool) or not 1 <= attempts <= MAX_ATTEMPTS:
            self.refuse(self.place("retry", "attempts"), f"attempts is a whole number from 1 to {MAX_ATTEMPTS}")
            attempts = 1
        if backoff is None:
            self.refuse(self.place("retry", "backoff"), "backoff is a length of time", "such as 1s")
        return Retry(attempts, backoff or 1.0)

    def has_service(self, name: str) -> bool:
        """Return whether a service has this name."""
        return name in self.compiler.contracts

    def pipeline(self, name: str) -> PipelineSpec | None:
        """Return another pipeline, or None when there is none of this name."""
        return self.compiler.library.get(name)

    def pipeline_names(self) -> list[str]:
        """Return the names of all other pipelines, for suggestions."""
        return sorted(self.compiler.library)

    def signature(self, name: Any, place: Place) -> Signature | None:
        """Return the types of a service, which the topology uses from here on; report an unknown service and return None."""
        contract = self.compiler.contracts.get(name) if isinstance(name, str) else None
        if contract is None:
            self.refuse(place, f"unknown service {written(name)}", suggest(str(name), self.compiler.contracts))
            return None
        return self.compiler.signature(contract)

    def inputs(
        self, expected: Type, what: str, key: str = "with", unwanted: Mapping[str, str] | None = None
    ) -> dict[str, Template]:
        """Read the templates under a key, checked against the record that is expected."""
        values = self.spec.keys.get(key)
        if values is None:
            values = {}
        if not isinstance(values, dict):
            self.refuse(self.place(key), f"{key} is a mapping from an input's name to its value")
            return {}
        templates = {}
        for name, value in values.items():
            wanted = expected.field(name)
            if wanted is None:
                reason = (unwanted or {}).get(name)
                hint = reason or suggest(name, [field.name for field in expected.fields])
                self.refuse(self.place(key, name), f"{what} has no input {name!r}", hint)
                self.template(self.place(key, name), value)
                continue
            before = len(self.compiler.problems)
            templates[name], _ = self.template(self.place(key, name), value, wanted.type)
            if len(self.compiler.problems) == before:
                self.bounds(templates[name], wanted, self.place(key, name))
        for wanted in expected.fields:
            if wanted.required and wanted.name not in values:
                problem = f"{what} needs {wanted.name} ({wanted.type})"
                self.refuse(self.spec.place, problem, f"add {wanted.name} to `{key}:`")
        return templates


def _foreign_name_hint(name: str) -> str:
    """Return a hint for a name that another language has for a value, such as `None`; "" for other names."""
    return f"write {hints.NAMES[name]}" if name in hints.NAMES else ""


def _is_false(condition: Expression) -> bool:
    """Return whether a condition reads nothing and is false."""
    try:
        return not condition.names and condition.evaluate({}) is False
    except EvaluationError:
        return False


def _literal_hint(value: Any, expected: Type) -> str:
    """Return what to write instead of a literal of the wrong type; "" without a suggestion."""
    if isinstance(value, str):
        return "" if "${" in value else 'this is a text; "${…}" is an expression'
    if expected.kind is Kind.STRING and isinstance(value, bool | int | float):
        return "put a text in quotes"
    return "write a whole number" if expected.kind is Kind.INT and isinstance(value, float) else ""


def _field_name_hint(name: str, expected: Type) -> str:
    return suggest(name, [field.name for field in expected.fields])


def _path_type(text: str, scope: Scope) -> Type | None:
    """Return the type of a plain path such as `info.gps`, which may be optional; CEL loses that. None for other expressions."""
    first, *rest = text.strip().split(".")
    kind = scope.names[first].type if first in scope.names else None
    optional = bool(kind and kind.optional)
    for part in rest:
        field = kind.field(part) if kind and kind.kind is Kind.RECORD else None
        if field is None:
            return None
        kind, optional = field.type, optional or field.type.optional
    return Type(kind.kind, kind.item, kind.fields, kind.name, optional) if kind else None


def _field_hint(message: str, scope: Scope) -> str:
    """Return a suggestion for an undefined field, from the fields of every visible record; "" for other messages."""
    if not message.startswith("undefined field"):
        return ""
    wrong = message.split("'")[1]
    fields = {field.name for name in scope.names.values() for field in _all_fields(name.type)}
    return suggest(wrong, fields)


def _all_fields(kind: Type) -> list[Any]:
    inner = [nested for field in kind.fields for nested in _all_fields(field.type)]
    return [*kind.fields, *inner, *(_all_fields(kind.item) if kind.item else [])]
