"""Tests checked against the pipeline they are in: names, types, contracts. What is wrong has line, column and hint."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from schemas.encoding.codec import Nonconforming, conform
from schemas.shapes import shape
from streams.compile.compiler import Compiler
from streams.compile.node_builder import NodeBuilder
from streams.compile.scope import Name, Scope
from streams.errors import Problem
from streams.language import template
from streams.language.definition.model import NodeKind, NodeSpec, PipelineSpec
from streams.language.definition.parse import suggest
from streams.language.source.document import Place, dotted, split
from streams.language.template import Template
from streams.language.topology import ServiceWork
from streams.language.types import ANY, Field, Kind, Type, record_schema
from streams.testing.cases import places
from streams.testing.cases.fill import filled
from streams.testing.cases.model import Answer, Answers, Case, Failing, Mock
from streams.testing.cases.pictures import BadPicture, Pictures, is_picture

INPUT_VARIABLE = "given"
"""The name under which a mock reads the input of the service it stands for."""


@dataclass
class Builder(NodeBuilder):
    """A node builder for the values of tests, in which pictures may be texts and records may lack fields."""

    pictures: Pictures = field(default_factory=lambda: Pictures(None))
    partial: bool = False

    def typed(self, value: Any, place: Place, expected: Type | None, exact: bool) -> Type:
        """Return the type of a value; where an image is expected, `file:…` and `image:…` are images, and so is a reference."""
        if expected is None or expected.kind is not Kind.IMAGE or (isinstance(value, str) and "${" in value):
            return super().typed(value, place, expected, exact)
        if isinstance(value, dict):
            return expected
        if not isinstance(value, str):
            return super().typed(value, place, expected, exact)
        try:
            if is_picture(value):
                self.pictures.ref(value)
            else:
                hint = "write file:PATH for a file beside this one, or image:NAME for one that nobody looks into"
                self.refuse(place, "string is given, image is expected", hint)
        except BadPicture as error:
            self.refuse(place, str(error), error.hint)
        return expected

    def complete(self, value: Mapping[str, Any], place: Place, expected: Type) -> None:
        """Check that no field is missing, except in a mock: what it lacks is filled in."""
        if not self.partial:
            super().complete(value, place, expected)

    def bounds(self, literal: Template, wanted: Field, place: Place) -> None:
        """Do nothing: values are checked against their bounds when their pictures are references."""

    def resolved(self, value: Any, place: Place, kind: Type) -> Template:
        """Return the template of a value that was checked, its pictures as references."""
        return template.read(self._pictured(value, kind), place)

    def _pictured(self, value: Any, kind: Type | None) -> Any:
        if kind is None:
            return value
        if kind.kind is Kind.IMAGE and is_picture(value):
            return self.pictures.ref(value)
        if isinstance(value, list):
            return [self._pictured(child, kind.item) for child in value]
        if isinstance(value, dict):
            inner = {field.name: field.type for field in kind.fields}
            return {key: self._pictured(child, inner.get(key, kind.item)) for key, child in value.items()}
        return value


@dataclass(frozen=True)
class Ready:
    """A test that can run: its input record, a template for each answer by its place, and the expected output."""

    case: Case
    input: Mapping[str, Any]
    answers: Mapping[Place, Template]
    output: Mapping[str, Template]


class Checker:
    """The tests of one file."""

    def __init__(self, spec: PipelineSpec, compiler: Compiler, output: Type, pictures: Pictures) -> None:
        self.spec = spec
        self.vertices = compiler.vertices
        self.output = output
        self.pictures = pictures
        self.compiler = replace(compiler, problems=[])
        self.scope = compiler.scopes.get("", Scope(""))
        self.broken = frozenset(places.declared(spec.block)) - compiler.vertices.keys()
        self.inputs = Type(Kind.RECORD, fields=spec.inputs)

    @property
    def problems(self) -> list[Problem]:
        """What was found so far."""
        return self.compiler.problems

    def check(self, case: Case) -> Ready | None:
        """Return a test that can run; None when something is wrong with it."""
        before = len(self.problems)
        inputs = self._input(case)
        answers: dict[Place, Template] = {}
        for mock in case.mocks:
            self._mock(mock, answers)
        output = self._expect(case)
        return Ready(case, inputs, answers, output) if len(self.problems) == before else None

    def _builder(self, case: Case | None, scope: Scope, partial: bool = False) -> Builder:
        place = case.place if case else ("tests",)
        spec = NodeSpec("test", NodeKind.VALUE, place, case.data if case else {}, {})
        chain = (self.spec.name,)
        return Builder(self.compiler, spec, scope, self.spec.source, chain, self.pictures, partial)

    # Inputs ----------------------------------------------------------------------------------------------------

    def _input(self, case: Case) -> Mapping[str, Any]:
        builder, before = self._builder(case, Scope("")), len(self.problems)
        builder.inputs(self.inputs, "the pipeline", "input")
        wrong = {problem.where for problem in self.problems[before:]}
        data = case.data.get("input")
        data = data if isinstance(data, dict) else {}
        place = (*case.place, "input")
        values: dict[str, Any] = {}
        for declared in self.spec.inputs:
            at = dotted((*place, declared.name))
            if declared.name in data and not any(where.startswith(at) for where in wrong):
                value = builder.resolved(data[declared.name], (*place, declared.name), declared.type)
                if any(template.expressions(value)):
                    builder.refuse(
                        (*place, declared.name), "an input is written out, not computed", "$${ stands for ${"
                    )
                    continue
                record = {declared.name: template.evaluate(value, {})}
                values |= self._conforming(record_schema("Input", (declared,)), record, place)
        return conform(record_schema("Input", self.spec.inputs), values) if len(self.problems) == before else {}

    def _conforming(self, schema: Any, value: Any, place: Place) -> Mapping[str, Any]:
        try:
            record: Mapping[str, Any] = conform(schema, value)
        except Nonconforming as error:
            for problem in error.problems:
                at = (*place, *split(problem.where))
                self.problems.append(self.spec.source.problem(at, problem.problem, problem.hint))
            return {}
        return record

    # Mocks -----------------------------------------------------------------------------------------------------

    def _mock(self, mock: Mock, answers: dict[Place, Template]) -> None:
        builder = self._builder(None, Scope(""))
        identity = places.static(mock.path)
        work = self.vertices[identity].work if identity in self.vertices else None
        if any(identity == name or identity.startswith(f"{name}.") for name in self.broken):
            return  # what is wrong with the node itself has been said
        wrong = places.misplaced(mock.path, self.vertices)
        if work is None:
            builder.refuse(mock.place, f"there is no node {mock.path!r}", suggest(identity, self._services()))
        elif not isinstance(work, ServiceWork):
            inside = [name for name in self._services() if name.startswith(f"{identity}.")]
            hint = f"mock the services in it: {', '.join(inside)}" if inside else "it is computed, and needs no mock"
            builder.refuse(mock.place, f"{mock.path} is no service, and only services are mocked", hint)
        elif wrong:
            builder.refuse(mock.place, f"{mock.path!r} {wrong}", "")
        else:
            for answer, depth in _answers(mock.answers):
                self._depth(mock, answer, depth)
                self._answer(identity, work, answer, answers)

    def _services(self) -> list[str]:
        return sorted(name for name, vertex in self.vertices.items() if isinstance(vertex.work, ServiceWork))

    def _depth(self, mock: Mock, answer: Answer, depth: int) -> None:
        most = len(self.vertices[places.static(mock.path)].loops) - places.positions(mock.path) + 1
        if depth > most:
            problem = f"lists in lists {depth} deep, for a node in {most - 1} loops"
            self.problems.append(self.spec.source.problem(answer.place, problem, "the innermost list is for attempts"))

    def _answer(self, identity: str, work: ServiceWork, answer: Answer, answers: dict[Place, Template]) -> None:
        if isinstance(answer, Failing):
            last = answer.attempts or work.retry.attempts
            if last < work.retry.attempts and answer.then is None and answer.fault == "service":
                problem = f"attempt {last + 1} of {work.retry.attempts} has no answer"
                self.problems.append(self.spec.source.problem(answer.place, problem, "add `then:` with what it gives"))
            return
        contract = self.compiler.contracts[work.service]
        signature = self.compiler.signatures[work.service]
        names = {declared.name: Name(declared.name, declared.type) for declared in self.spec.inputs}
        scope = Scope("", {INPUT_VARIABLE: Name(INPUT_VARIABLE, signature.input), **names})
        builder, before = self._builder(None, scope, partial=True), len(self.problems)
        builder.template(answer.place, answer.value, signature.output)
        if len(self.problems) > before:
            return
        resolved = builder.resolved(answer.value, answer.place, signature.output)
        answers[answer.place] = resolved
        if not any(template.expressions(resolved)):
            value = filled(shape(contract.output_schema), template.evaluate(resolved, {}), identity, self.pictures)
            self._conforming(contract.output_schema, value, answer.place)

    # Expectations ----------------------------------------------------------------------------------------------

    def _expect(self, case: Case) -> Mapping[str, Template]:
        expect = case.expect
        for at, path in enumerate(expect.skipped or ()):
            self._node(path, (*expect.place, "skipped", at))
        if expect.failure and expect.failure.at:
            self._node(expect.failure.at, (*expect.failure.place, "at"))
        builder = self._builder(None, self.scope)
        output = {}
        for name, value in expect.output.items():
            kind = self.output.field(name)
            place = (*expect.output_place, name)
            if self.output.kind is Kind.RECORD and kind is None:
                hint = suggest(name, [field.name for field in self.output.fields])
                builder.refuse(place, f"the pipeline's output has no field {name!r}", hint)
                continue
            before = len(self.problems)
            builder.template(place, value, kind.type if kind else None)
            if len(self.problems) == before:
                output[name] = builder.resolved(value, place, kind.type if kind else ANY)
        return output

    def _node(self, path: str, place: Place) -> None:
        identity = places.static(path)
        if any(identity == name or identity.startswith(f"{name}.") for name in self.broken):
            return
        if identity not in self.vertices:
            hint = suggest(identity, places.known(self.vertices))
            self.problems.append(self.spec.source.problem(place, f"there is no node {path!r}", hint))
            return
        outside = places.misplaced(path, self.vertices)
        if outside:
            self.problems.append(self.spec.source.problem(place, f"{path!r} {outside}"))


def _answers(of: Answer | Answers, depth: int = 0) -> Iterator[tuple[Answer, int]]:
    """Yield every answer with the number of lists around it."""
    if isinstance(of, Answers):
        for answer in of.each:
            yield from _answers(answer, depth + 1)
        return
    yield of, depth
    if isinstance(of, Failing) and of.then is not None:
        yield from _answers(of.then, depth)
