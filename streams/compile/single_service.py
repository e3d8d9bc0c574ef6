"""Every service is also a pipeline of one node with the service's name."""

import json

from schemas.contracts import Contract
from schemas.shapes import record_shape
from streams.language.definition.model import BlockSpec, NodeKind, NodeSpec, PipelineSpec
from streams.language.source.document import Source
from streams.language.topology import DEFAULT_TIMEOUT
from streams.language.types import from_avro

NODE = "call"
"""The name of the one node."""


def automatic(contract: Contract) -> PipelineSpec:
    """The pipeline of one service: its inputs are the service's, its outputs too."""
    inputs, outputs = from_avro(contract.input).fields, from_avro(contract.output).fields
    call = {"service": contract.name, "with": {one.name: f"${{{one.name}}}" for one in inputs}}
    output = {one.name: f"${{{NODE}.{one.name}}}" for one in outputs}
    data = {"pipeline": contract.name, "summary": contract.summary, "nodes": {NODE: call}, "output": output}
    source = Source(f"{contract.name} (automatic)", json.dumps(data, indent=2), data, {})
    node = NodeSpec(NODE, NodeKind.SERVICE, ("nodes", NODE), call, {})
    block = BlockSpec((), (node,), output)
    # One call of the service must fit into a run: a training may take half a day.
    timeout = float(max(contract.timeout, DEFAULT_TIMEOUT))
    unwanted = record_shape(contract.input).unwanted
    return PipelineSpec(
        *(source, contract.name, contract.summary, inputs, block),
        timeout=timeout,
        retain=None,
        tests=None,
        unwanted=unwanted,
    )
