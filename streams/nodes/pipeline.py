"""`pipeline:` stands for another pipeline, inlined when compiled: it sees its own inputs and nothing else."""

from schemas.encoding.codec import Nonconforming, conform
from streams.language.definition.parse import suggest
from streams.language.source.document import written
from streams.language.topology import PipelineWork, variable_key
from streams.language.types import Kind, Type, camel, record_schema
from streams.messages import Context, Fault
from streams.nodes.building import Builder, Built
from streams.nodes.walking import Visit, Walker

MAX_INLINED = 20
"""How deep pipelines may stand in pipelines."""
MAX_NODES = 10_000
"""Nodes after which no other pipeline is inlined: twenty pipelines that hold the one before twice would have a million."""


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
        node.refuse(place, f"pipelines stand in pipelines deeper than {MAX_INLINED} levels")
        return None
    if node.vertex_count > MAX_NODES:
        problem = f"with the pipelines in it, this one has more than {MAX_NODES:,} nodes"
        node.refuse(place, problem, "go through a list with each, or start runs of their own")
        return None
    node.report(spec.problems)
    given = node.inputs(Type(Kind.RECORD, fields=spec.inputs), f"pipeline {name}")
    body = node.id
    output = node.block("", body, {one.name: one.type for one in spec.inputs}, body=spec.block, isolated=spec)
    work = PipelineWork(
        pipeline=name,
        body=body,
        input=given,
        inputs={one.name: variable_key(body, one.name) for one in spec.inputs},
        schema=record_schema(f"{camel(name)}Input", spec.inputs),
    )
    return Built(work, output, tuple(given.values()))


def start(walk: Walker, visit: Visit, work: PipelineWork) -> None:
    """Enter it with its inputs, which are checked as a request's would be."""
    try:
        record = conform(work.schema, walk.record(visit, work.input))
    except Nonconforming as error:
        walk.fail(visit, f"the input of {work.pipeline} is wrong: {error}", Fault.PIPELINE)
        return
    inputs = {key: record[name] for name, key in work.inputs.items()}
    walk.enter(work.body, visit.at, Context({**visit.context.values, **inputs}, visit.context.skipped))
