"""The topics of pipelines and of the services that they use, and the schemas of their public edge."""

import functools
from collections.abc import Sequence

from schemas.encoding.codec import value_subject
from schemas.errors import RegistryUnavailable
from schemas.results import result_schema
from streams.language.topology import Topology
from streams.runtime.connections.connections import Connections
from streams.runtime.retrying import retry_until_available
from streams.wire import topic_specs


async def ensure_topics(connections: Connections, topologies: Sequence[Topology]) -> None:
    """Create the missing topics of pipelines and of their services, and register the schemas of requests and results.

    Raises Incompatible when an older reader or writer could not understand a pipeline's new input or output.
    """
    names, count = connections.names, connections.settings.partitions
    # Foreign producers find the schemas in the registry. First of all: an incompatible one is refused here.
    for topology in topologies:
        schemas = {
            names.requests(topology.name): topology.input,
            names.results(topology.name): result_schema(topology.name, topology.output),
        }
        for topic, schema in schemas.items():
            register = functools.partial(connections.registry.register, value_subject(topic), schema)
            await retry_until_available(connections.outages, "registry", register, RegistryUnavailable)
    specs = [spec for topology in topologies for spec in topic_specs.pipeline(names, topology.name, count)]
    used = {(name, use.major) for topology in topologies for name, use in topology.services.items()}
    specs += [topic_specs.service(names, name, major, count) for name, major in sorted(used)]
    await connections.admin.ensure(specs, connections.settings.replication)
