"""Compiling one pipeline: every problem at once, or a topology."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from msgspec import UNSET

from schemas.contracts import Contract
from streams.compile.compiler import Compiler
from streams.compile.context_pruning import Carry
from streams.compile.scope import Scope
from streams.errors import PipelineErrors, Problem
from streams.language.definition.model import NodeKind, PipelineSpec
from streams.language.definition.parse import parse
from streams.language.source.identifiers import FIELD_NAME
from streams.language.topology import DEFAULT_TIMEOUT, Topology
from streams.language.types import Kind, Type, camel, record_schema
from streams.nodes import branch, each, http, pipeline, repeat, service, value
from streams.nodes.building import Builder, Built

BUILDERS: Mapping[NodeKind, Callable[[Builder], Built | None]] = {
    NodeKind.SERVICE: service.build,
    NodeKind.HTTP: http.build,
    NodeKind.VALUE: value.build,
    NodeKind.IF: branch.build,
    NodeKind.EACH: each.build,
    NodeKind.REPEAT: repeat.build,
    NodeKind.PIPELINE: pipeline.build,
}

Library = Mapping[str, PipelineSpec]
"""Other pipelines by name, for `pipeline:` nodes."""

EMPTY: Library = MappingProxyType({})


def compile_pipeline(
    text: str, contracts: Mapping[str, Contract], library: Library = EMPTY, file: str = "pipeline.yaml"
) -> Topology:
    """The topology of a pipeline's YAML (or JSON), typed against the services' contracts.

    Raises PipelineErrors with every problem of the file.
    """
    return compile_spec(parse(text, file), contracts, library)


def compile_spec(spec: PipelineSpec, contracts: Mapping[str, Contract], library: Library = EMPTY) -> Topology:
    """The topology of a spec. Raises PipelineErrors with every problem."""
    return topology(spec, *check(spec, contracts, library))


def check(spec: PipelineSpec, contracts: Mapping[str, Contract], library: Library = EMPTY) -> tuple[Compiler, Type]:
    """A spec with all its names and types looked at, and the type of its output; what is wrong is in `problems`."""
    compiler = Compiler(contracts, library, BUILDERS, list(spec.problems))
    scope = Scope("").inner("", {one.name: one.type for one in spec.inputs})
    made = compiler.block(spec.block, scope, "", spec.source, (spec.name,))
    compiler.problems += _no_record(spec, made)
    return compiler, made


def topology(spec: PipelineSpec, compiler: Compiler, made: Type) -> Topology:
    """The topology of a spec that was checked. Raises PipelineErrors with every problem that was found."""
    if compiler.problems:
        raise PipelineErrors(compiler.problems)
    scope = Scope("").inner("", {one.name: one.type for one in spec.inputs})
    vertices, blocks = Carry(compiler.vertices, compiler.blocks, compiler.graphs, scope.keys()).apply()
    return Topology(
        name=spec.name,
        summary=spec.summary,
        input=record_schema(f"{camel(spec.name)}Input", spec.inputs, spec.summary, spec.unwanted),
        output=record_schema(f"{camel(spec.name)}Output", made.fields),
        vertices=vertices,
        blocks=blocks,
        services=compiler.services,
        timeout=spec.timeout or DEFAULT_TIMEOUT,
        retain=spec.retain,
        limit=UNSET if spec.limit is None else spec.limit,
    )


def _no_record(spec: PipelineSpec, made: Type) -> list[Problem]:
    """What is wrong with an output that no other system could be given as a record."""
    output = spec.block.output
    if isinstance(output, dict):
        hint = "letters, digits and _, beginning with a letter"
        wrong = [key for key in output if not FIELD_NAME.fullmatch(key)]
        return [spec.source.problem(("output", key), f"{key!r} is no field name", hint) for key in wrong]
    if made.kind is Kind.RECORD or spec.block.silent:
        return []
    # What `any` stands for here may be an expression that could not be typed, which has been reported.
    if made.kind is Kind.ANY and spec.problems:
        return []
    problem = f"the output of a pipeline is a record, not {made}"
    return [spec.source.problem(("output",), problem, "output: {name: value}")]
