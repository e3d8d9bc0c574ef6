"""The pipelines of one node that services are by themselves."""

from collections.abc import Iterable

from schemas.contracts import Contract
from streams.compile import automatic, compile_spec
from streams.runtime.catalogue.pipeline_topics import ensure_topics
from streams.runtime.catalogue.pipelines import Pipelines
from streams.runtime.catalogue.version import Owner
from streams.runtime.catalogue.writer import CatalogueWriter
from streams.runtime.connections.connections import Connections


async def publish_service_pipelines(
    connections: Connections, pipelines: Pipelines, contracts: Iterable[Contract]
) -> None:
    """Publish, for every service, a pipeline of one node with the service's name."""
    topologies = []
    for contract in contracts:
        spec = automatic(contract)
        topologies.append((compile_spec(spec, {contract.name: contract}), spec.source.text))
    await ensure_topics(connections, [topology for topology, _ in topologies])
    writer = CatalogueWriter(connections, pipelines)
    for topology, text in topologies:
        await writer.publish(topology, text, Owner.GIT)
