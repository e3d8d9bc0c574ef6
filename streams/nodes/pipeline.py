"""`pipeline:` inlines another pipeline when compiled; the other sees only its own inputs."""

from schemas.encoding.codec import Nonconforming, conform
from streams.language.definition.parse import suggest
from streams.language.source.document import written
from streams.language.topology import PipelineWork, variable_key
from streams.language.types import Kind, Type, camel, record_schema
from streams.messages import Context, Fault
from streams.nodes.building import Builder, Built
from streams.nodes.walking import Visit, Walker

MAX_INLINED = 20
"""How deep pipelines may be nested."""
MAX_NODES = 10_000
"""Nodes after which no pipeline is inlined: twenty pipelines that each contain the one before twice would have a million."""


def build(node: Builder) -> Built | None:
    """Compile the other pipeline in place."""
    name, place = node.spec.subject, node.place("pipeline")
    spec = node.pipeline(name) if isinstance(name, str) else None
    if spec is None:
        node.refuse(place, f"unknown pipeline {written(name)}", suggest(str(name), node.pipeline_names()))
        node.loose("with")
        return None
    if name in node.chain:
        chain = " → ".join((*node.chain[node.chain.index(name) :], name))
        node.refuse(place, f"cycle: {chain}", "a pipeline cannot contain itself")
        node.loose("with")
        return None
    if len(node.chain) > MAX_INLINED:
        node.refuse(place, f"pipelines are nested deeper than {MAX_INLINED} levels")
        return None
    if node.vertex_count > MAX_NODES:
        problem = f"with the pipelines in it, this one has more than {MAX_NODES:,} nodes"
        node.refuse(place, problem, "go through a list with each, or start runs of their own")
        return None
    node.report(spec.problems)
    inputs = node.inputs(Type(Kind.RECORD, fields=spec.inputs), f"pipeline {name}")
    body = node.id
    output = node.block("", body, {field.name: field.type for field in spec.inputs}, body=spec.block, isolated=spec)
    work = PipelineWork(
        pipeline=name,
        body=body,
        input=inputs,
        inputs={field.name: variable_key(body, field.name) for field in spec.inputs},
        schema=record_schema(f"{camel(name)}Input", spec.inputs),
    )
    return Built(work, output, tuple(inputs.values()))


def start(walk: Walker, visit: Visit, work: PipelineWork) -> None:
    """Enter the pipeline with its inputs, which are checked like a request's."""
    try:
        record = conform(work.schema, walk.record(visit, work.input))
    except Nonconforming as error:
        walk.fail(visit, f"the input of {work.pipeline} is wrong: {error}", Fault.PIPELINE)
        return
    inputs = {key: record[name] for name, key in work.inputs.items()}
    walk.enter(work.body, visit.at, Context({**visit.context.values, **inputs}, visit.context.skipped))
