"""One node being compiled: what its kind's builder may ask for, and the options that every node has."""

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
"""Fields of a type, those of records inside records counted: a record that holds the one before twice doubles them each time."""


@dataclass
class NodeBuilder:
    """One node being compiled: what its kind's builder may ask for."""

    compiler: Compilation
    spec: NodeSpec
    scope: Scope
    source: Source
    chain: tuple[str, ...]

    @property
    def id(self) -> str:
        """The id of its vertex."""
        return vertex_id(self.scope.block, self.spec.name)

    @property
    def vertex_count(self) -> int:
        """How many vertices the whole topology has so far."""
        return len(self.compiler.vertices)

    def with_keys(self, keys: Mapping[str, Any]) -> "NodeBuilder":
        """Return the same builder for a node with these keys."""
        return replace(self, spec=replace(self.spec, keys=keys))

    def place(self, *keys: str | int) -> Place:
        """A place inside the node."""
        return (*self.spec.place, *keys)

    def refuse(self, place: Place, problem: str, hint: str = "", offset: int | None = None) -> None:
        """Report a problem and go on."""
        self.compiler.refuse(self.source, place, problem, hint, offset)

    def report(self, problems: Iterable[Problem]) -> None:
        """Report problems that were found elsewhere, such as in another pipeline's file."""
        self.compiler.problems.extend(problems)

    def new_name(self, place: Place, name: str) -> None:
        """Report a name that the node gives to its body and that cannot be given there."""
        wrong = wrong_name(name)
        if wrong:
            self.refuse(place, *wrong)
        elif self.scope.has(name):
            self.refuse(place, f"{name!r} is already a name here", "choose another")

    def template(
        self, place: Place, value: Any, expected: Type | None = None, exact: bool = False
    ) -> tuple[Template, Type]:
        """A piece of YAML as a template, its names and types checked, also against what is expected there."""
        if self.source.follows(place):
            return template.Const(None), ANY
        try:
            made = template.read(value, place)
        except BadTemplate:
            self._refuse_each(value, place)
            return template.Const(None), ANY
        return made, self.typed(value, place, expected, exact)

    def _refuse_each(self, value: Any, place: Place) -> None:
        """Report every expression inside a value that is not right, not only the first."""
        for at in template.computed_keys(value, place):
            self.refuse(at, template.COMPUTED, template.COMPUTED_HINT)
        for at, text in strings(value, place):
            try:
                cut = template.pieces(text)
            except BadExpression as error:
                self.refuse(at, str(error), error.hint, error.offset)
                continue
            for piece, offset, code in cut:
                if code:
                    self._checked(piece, at, offset)

    def _checked(self, text: str, place: Place, offset: int) -> Type:
        """The type of an expression; what is wrong with it is reported, its syntax too."""
        try:
            cel.parse(text)
        except BadExpression as error:
            self.refuse(place, str(error), error.hint, offset + error.offset)
            return ANY
        return self._check(text, place, offset)

    def typed(self, value: Any, place: Place, expected: Type | None, exact: bool) -> Type:
        """The type of a value, each of its parts held against what is expected there."""
        if isinstance(value, list) and expected and expected.kind is Kind.LIST:
            item = expected.item
            return list_of(template.merged([self.typed(one, (*place, i), item, exact) for i, one in enumerate(value)]))
        if isinstance(value, dict) and expected and expected.kind is Kind.RECORD and expected.fields:
            return self._record(value, place, expected, exact)
        kind = self._text(value, place) if isinstance(value, str) else template.type_of(value, place, self._check)
        found = mismatch(kind, expected, exact=exact) if expected else None
        if found and expected:
            self.refuse(place, found, _written(value, expected) or conversion(kind, expected))
        return kind

    def _text(self, value: str, place: Place) -> Type:
        """The type of one expression, or a text; what cannot stand inside a text is reported."""
        cut = template.pieces(value)
        kinds = [(self._check(piece, place, offset), offset) for piece, offset, code in cut if code]
        if len(cut) == 1 and kinds:
            return kinds[0][0]
        for kind, offset in kinds:
            if kind.kind in (Kind.LIST, Kind.MAP, Kind.RECORD, Kind.IMAGE, Kind.BYTES, Kind.NULL):
                problem = f"{kind.brief()} cannot stand inside a text, a string or number is expected"
                self.refuse(place, problem, "let the expression stand alone, or give one of its parts", offset)
        return STRING

    def _record(self, value: dict[str, Any], place: Place, expected: Type, exact: bool) -> Type:
        kinds: dict[str, Type] = {}
        for name, one in value.items():
            wanted = expected.field(name)
            if wanted is None:
                self.refuse((*place, name), f"{name} is too much: {expected} is expected", _other(name, expected))
            kinds[name] = self.typed(one, (*place, name), wanted.type if wanted else None, exact)
        self.complete(value, place, expected)
        return record_of(kinds)

    def complete(self, value: Mapping[str, Any], place: Place, expected: Type) -> None:
        """Report the fields that a record lacks."""
        for wanted in expected.fields:
            if wanted.required and wanted.name not in value:
                problem = f"{wanted.name} ({wanted.type}) is missing: {expected} is expected"
                self.refuse(place, problem, f"add {wanted.name}")

    def bounds(self, made: Template, wanted: Field, place: Place) -> None:
        """Report a value that is written out and lies outside what a contract allows."""
        if not any(template.expressions(made)):
            try:
                conform(record_schema("Given", (wanted,)), {wanted.name: template.evaluate(made, {})})
            except Nonconforming as error:
                for one in error.problems:
                    inside = split(one.where)[1:]
                    self.refuse((*place, *inside), one.problem, one.hint)

    def loose(self, key: str) -> None:
        """Check the expressions under a key of which nobody can say what is expected."""
        if key in self.spec.keys:
            self.template(self.place(key), self.spec.keys[key])

    def expression(self, place: Place, text: Any, expected: Type) -> Expression:
        """Bare CEL of an expected type."""
        if isinstance(text, bool):
            text = "true" if text else "false"
        if not isinstance(text, str):
            self.refuse(place, f"{written(text)} is no expression", "write CEL, without ${…}")
            return Expression("false", Condition())
        if text.strip().startswith("${"):
            self.refuse(place, "this place holds bare CEL", "leave the ${…} away")
            self._refuse_each(text, place)
            return Expression("false", Condition())
        try:
            made = cel.parse(text)
        except BadExpression as error:
            self.refuse(place, str(error), error.hint, error.offset)
            return Expression("false", Condition())
        kind = self._check(text, place, 0)
        found = mismatch(kind, expected)
        if found:
            self.refuse(place, found, conversion(kind, expected))
        elif _never(made):
            self.refuse(
                place, "this is never true, so what depends on it is never reached", "remove the node or the condition"
            )
        return made

    def _check(self, text: str, place: Place, offset: int) -> Type:
        scope = self.scope
        try:
            parsed = cel.parse(text)
        except BadExpression:
            return ANY  # reported by whoever parsed it first
        read = parsed.names
        unknown = sorted(name for name in read if name not in scope.names)
        for name in unknown:
            at = offset + reserved_words.position(text, name)
            self.refuse(place, f"unknown name {name!r}", _named(name) or suggest(name, scope.names), at)
        known = scope.types(read.difference(unknown))
        try:
            kind = self.compiler.checker.check(text, {**known, **dict.fromkeys(unknown, ANY)})
        except BadExpression as error:
            for one in (error, *error.others):
                self.refuse(place, str(one), one.hint or _field_hint(str(one), scope), offset + one.offset)
            return ANY
        return ANY if unknown else _selected(text, scope) or kind

    def refs(self, *templates: Template | None) -> dict[str, str]:
        """Name → context key, for what these read."""
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
        """Compile one of the node's blocks; its type is its output's."""
        spec = body or self.spec.blocks[key]
        inner = self.scope.inner(block, variables, self.id if loop else None, isolated is not None)
        source = isolated.source if isolated else self.source
        chain = (*self.chain, isolated.name) if isolated else self.chain
        return self.compiler.block(spec, inner, self.id, source, chain, closing)

    def vertex(self, edges: Graph) -> Name:
        """Build the node and add its vertex; what comes back is the name that others see."""
        keys = self.spec.keys
        sources = tuple(vertex_id(self.scope.block, one) for one in edges.sources[self.spec.name])
        wait, deadline = self._wait(sources)
        ways = self._ways(edges) if wait is Wait.ANY else {}
        builder = replace(self, scope=self.scope.uncertain(frozenset().union(*ways.values()))) if ways else self
        when = self.expression(self.place("when"), keys["when"], BOOL) if "when" in keys else None
        built = self.compiler.builders[self.spec.kind](builder)
        if built is None:
            return Name(self.id, ANY)
        if not built.type.within(MAX_PARTS):
            hint = "leave out what nobody reads, or name what is needed"
            self.refuse(self.spec.place, f"the type of its value has more than {MAX_PARTS:,} parts", hint)
            return Name(self.id, ANY)
        on_error, kind = self._on_error(built.type)
        needs = template.needs(*built.templates, when)
        if self._any_reads(ways, needs):
            ways = {}
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
        return Name(self.id, kind, skips or self._may_miss(needs, ways))

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

    def _ways(self, edges: Graph) -> dict[str, frozenset[str]]:
        """For a node that waits for any: each node that may deliver first, and what it reads that is not there then."""
        read = references.node_reads(self.spec) & edges.known.keys()
        return {one: read - edges.implied(one) for one in edges.sources[self.spec.name]}

    def _any_reads(self, ways: Mapping[str, frozenset[str]], needs: Condition) -> bool:
        """Report what a node that waits for any must have, and may not have when it goes on. Whether there is such."""
        unmet = {source: needs.read() & missing for source, missing in ways.items() if not needs.met(missing)}
        strict = needs.names & frozenset().union(*unmet.values())
        for name in sorted(strict):
            self.refuse(self.spec.place, f"with wait: any, {name} may not be there yet", f"read it as first({name}, …)")
        if unmet and not strict:
            source, missing = min(unmet.items())
            problem = f"with wait: any and only {source} there, this reads {' and '.join(sorted(missing))} in vain"
            self.refuse(self.spec.place, problem, "give each first() an operand that is always there")
        return bool(unmet)

    def _may_miss(self, needs: Condition, ways: Mapping[str, frozenset[str]]) -> bool:
        """Whether the node may find something missing that it needs, and so be skipped."""
        absent = self.scope.skippable(needs.read())
        if self.scope.skippable(ways) == ways.keys() and not needs.met(absent):
            return True  # whoever it waits for may be skipped, all of them at once
        return any(not needs.met(missing | (absent - {source})) for source, missing in ways.items())

    def _on_error(self, kind: Type) -> tuple[OnError, Type]:
        value = self.spec.keys.get("on_error", "fail")
        if value in ("fail", "skip"):
            return OnError(value), kind
        if isinstance(value, dict) and set(value) == {"use"}:
            place = self.place("on_error", "use")
            made, other = self.template(place, value["use"])
            both = kind if mismatch(other, kind, exact=True) is None else common(kind, other)
            if both is None:
                self.typed(value["use"], place, kind, exact=True)  # says which part of it is wrong
            return OnError("use", made), both or kind
        self.refuse(self.place("on_error"), f"on_error is fail, skip or {{use: value}}, not {written(value)}")
        return OnError(), kind

    def seconds(self, key: str) -> float | None:
        """A length of time among the node's keys."""
        if key not in self.spec.keys:
            return None
        made = duration(self.spec.keys[key])
        if made is None:
            self.refuse(
                self.place(key),
                f"{written(self.spec.keys[key])} is no length of time",
                "write 500ms, 20s, 5m, 1h or 7d",
            )
        return made

    def retry(self) -> Retry:
        """The node's `retry:`."""
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
        """What a service takes and gives, reported when there is no such service; the pipeline uses it from here on."""
        contract = self.compiler.contracts.get(name) if isinstance(name, str) else None
        if contract is None:
            self.refuse(place, f"unknown service {written(name)}", suggest(str(name), self.compiler.contracts))
            return None
        return self.compiler.signature(contract)

    def inputs(
        self, expected: Type, what: str, key: str = "with", unwanted: Mapping[str, str] | None = None
    ) -> dict[str, Template]:
        """The templates of a `with:`, or of another key, checked against the record that is expected."""
        given = self.spec.keys.get(key)
        if given is None:
            given = {}
        if not isinstance(given, dict):
            self.refuse(self.place(key), f"{key} is a mapping from an input's name to its value")
            return {}
        made = {}
        for name, value in given.items():
            wanted = expected.field(name)
            if wanted is None:
                reason = (unwanted or {}).get(name)
                hint = reason or suggest(name, [one.name for one in expected.fields])
                self.refuse(self.place(key, name), f"{what} has no input {name!r}", hint)
                self.template(self.place(key, name), value)
                continue
            before = len(self.compiler.problems)
            made[name], _ = self.template(self.place(key, name), value, wanted.type)
            if len(self.compiler.problems) == before:
                self.bounds(made[name], wanted, self.place(key, name))
        for one in expected.fields:
            if one.required and one.name not in given:
                self.refuse(self.spec.place, f"{what} needs {one.name} ({one.type})", f"add {one.name} to `{key}:`")
        return made


def _named(name: str) -> str:
    """What a value of another language is called here."""
    return f"write {hints.NAMES[name]}" if name in hints.NAMES else ""


def _never(condition: Expression) -> bool:
    """Whether a condition that reads nothing is false."""
    try:
        return not condition.names and condition.evaluate({}) is False
    except EvaluationError:
        return False


def _written(value: Any, expected: Type) -> str:
    """What to write instead of a value that is written out and of another type."""
    if isinstance(value, str):
        return "" if "${" in value else 'this is a text; "${…}" is an expression'
    if expected.kind is Kind.STRING and isinstance(value, bool | int | float):
        return "a text stands in quotes"
    return "write a whole number" if expected.kind is Kind.INT and isinstance(value, float) else ""


def _other(name: str, expected: Type) -> str:
    return suggest(name, [one.name for one in expected.fields])


def _selected(text: str, scope: Scope) -> Type | None:
    """The type of a plain path such as `info.gps`, which keeps that it may be null; CEL forgets it."""
    first, *rest = text.strip().split(".")
    made = scope.names[first].type if first in scope.names else None
    optional = bool(made and made.optional)
    for part in rest:
        found = made.field(part) if made and made.kind is Kind.RECORD else None
        if found is None:
            return None
        made, optional = found.type, optional or found.type.optional
    return Type(made.kind, made.item, made.fields, made.name, optional) if made else None


def _field_hint(message: str, scope: Scope) -> str:
    """A suggestion for an undefined field, from the fields of every visible record."""
    if not message.startswith("undefined field"):
        return ""
    wrong = message.split("'")[1]
    fields = {one.name for name in scope.names.values() for one in _all_fields(name.type)}
    return suggest(wrong, fields)


def _all_fields(kind: Type) -> list[Any]:
    inner = [found for one in kind.fields for found in _all_fields(one.type)]
    return [*kind.fields, *inner, *(_all_fields(kind.item) if kind.item else [])]
