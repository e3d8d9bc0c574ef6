"""Compile one pipeline into a topology, or report every problem at once."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from msgspec import UNSET

from schemas.contracts import Contract
from streams.compile.compiler import Compiler
from streams.compile.context_pruning import ContextPruning
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
    """Compile a pipeline's YAML (or JSON), typed against the services' contracts.

    Raises PipelineErrors with every problem of the file.
    """
    return compile_spec(parse(text, file), contracts, library)


def compile_spec(spec: PipelineSpec, contracts: Mapping[str, Contract], library: Library = EMPTY) -> Topology:
    """Compile a spec into a topology. Raises PipelineErrors with every problem."""
    return topology(spec, *check(spec, contracts, library))


def check(spec: PipelineSpec, contracts: Mapping[str, Contract], library: Library = EMPTY) -> tuple[Compiler, Type]:
    """Check all names and types of a spec; return the compiler, with its `problems`, and the type of the output."""
    compiler = Compiler(contracts, library, BUILDERS, list(spec.problems))
    scope = Scope("").inner("", {field.name: field.type for field in spec.inputs})
    output = compiler.block(spec.block, scope, "", spec.source, (spec.name,))
    compiler.problems += _output_problems(spec, output)
    return compiler, output


def topology(spec: PipelineSpec, compiler: Compiler, output: Type) -> Topology:
    """Return the topology of a checked spec. Raises PipelineErrors with every problem."""
    if compiler.problems:
        raise PipelineErrors(compiler.problems)
    scope = Scope("").inner("", {field.name: field.type for field in spec.inputs})
    vertices, blocks = ContextPruning(compiler.vertices, compiler.blocks, compiler.graphs, scope.keys()).apply()
    return Topology(
        name=spec.name,
        summary=spec.summary,
        input=record_schema(f"{camel(spec.name)}Input", spec.inputs, spec.summary, spec.unwanted),
        output=record_schema(f"{camel(spec.name)}Output", output.fields),
        vertices=vertices,
        blocks=blocks,
        services=compiler.services,
        timeout=spec.timeout or DEFAULT_TIMEOUT,
        retain=spec.retain,
        limit=UNSET if spec.limit is None else spec.limit,
    )


def _output_problems(spec: PipelineSpec, kind: Type) -> list[Problem]:
    """Return why an output cannot be a record for other systems; nothing when it can."""
    output = spec.block.output
    if isinstance(output, dict):
        hint = "letters, digits and _, beginning with a letter"
        wrong = [key for key in output if not FIELD_NAME.fullmatch(key)]
        return [spec.source.problem(("output", key), f"{key!r} is not a valid field name", hint) for key in wrong]
    if kind.kind is Kind.RECORD or spec.block.silent:
        return []
    # `any` may stand for an expression whose type is unknown because of a problem that is already reported.
    if kind.kind is Kind.ANY and spec.problems:
        return []
    problem = f"the output of a pipeline is a record, not {kind}"
    return [spec.source.problem(("output",), problem, "output: {name: value}")]
