"""What `compile` prints of pipelines: what they are, and documents for a cluster and its other users."""

import json
from collections.abc import Mapping
from typing import Any

from streams.cli.output import Output, columns, emit, emit_list
from streams.cli.settings import settings
from streams.language.topology import Topology
from streams.render import asyncapi as render_asyncapi
from streams.render import mermaid as render_mermaid
from streams.render import strimzi as render_strimzi
from streams.wire import topic_specs
from streams.wire.topics import Topics


def about(topology: Topology, output: Output) -> None:
    """Print what a pipeline is: its inputs, its output, its services, and its timeout."""
    value = {
        "name": topology.name,
        "digest": topology.digest,
        "summary": topology.summary,
        "input": [field["name"] for field in topology.input["fields"]],
        "output": [field["name"] for field in topology.output["fields"]],
        "services": {name: use.version for name, use in topology.services.items()},
        "timeout": topology.timeout,
    }
    rows = [(key, _words(inner)) for key, inner in value.items() if inner]
    emit(output, value, lambda: columns(rows) + "\n")


def topics(topologies: Mapping[str, Topology], services: list[tuple[str, int]], output: Output) -> None:
    """Print the topics that these pipelines and services (name, major) need."""
    here = settings()
    used = {(name, use.major) for topology in topologies.values() for name, use in topology.services.items()}
    specs = topic_specs.every(
        Topics(here.topic_prefix), here.partitions, services={*used, *services}, pipelines=topologies
    )
    documents = (
        {
            "topic": spec.name,
            "partitions": spec.partitions,
            "replicas": here.replication,
            "config": dict(spec.config),
        }
        for spec in specs
    )
    rows = ((spec.name, str(spec.partitions), _words(spec.config)) for spec in specs)
    emit_list(output, documents, ("TOPIC", "PARTITIONS", "CONFIGURATION"), rows, "no topic is needed")


def strimzi(
    topologies: Mapping[str, Topology],
    services: list[tuple[str, int]],
    cluster: str,
    authentication: str,
    dynamic: bool,
    output: Output,
) -> None:
    """Print the Strimzi resources for these pipelines and services (name, major)."""
    here = settings()
    where = render_strimzi.Cluster(cluster, here.replication, authentication, dynamic)
    resources = render_strimzi.strimzi(topologies.values(), services, Topics(here.topic_prefix), here.partitions, where)
    if output is Output.JSON:
        for resource in resources:
            emit(output, resource, "")
    else:
        print(render_strimzi.to_yaml(resources), end="")


def mermaid(topologies: Mapping[str, Topology], output: Output) -> None:
    """Print the graph of each pipeline as a Mermaid diagram."""
    for topology in topologies.values():
        picture = render_mermaid.mermaid(topology)
        name = f"%% {topology.name}\n" if len(topologies) > 1 else ""
        emit(output, {"name": topology.name, "mermaid": picture}, f"{name}{picture}".rstrip("\n"))


def asyncapi(topologies: Mapping[str, Topology], output: Output) -> None:
    """Print the AsyncAPI document of the topics of these pipelines."""
    here = settings()
    document = render_asyncapi.asyncapi(
        topologies.values(), Topics(here.topic_prefix), kafka=here.kafka, registry=here.registry
    )
    emit(output, document, lambda: json.dumps(document, indent=2, ensure_ascii=False))


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={inner}" for key, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
