"""Make the one-node pipeline of a service, which has the service's name."""

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
    """Return the pipeline of one service; its inputs and outputs are the service's."""
    inputs, outputs = from_avro(contract.input).fields, from_avro(contract.output).fields
    call = {"service": contract.name, "with": {field.name: f"${{{field.name}}}" for field in inputs}}
    output = {field.name: f"${{{NODE}.{field.name}}}" for field in outputs}
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
