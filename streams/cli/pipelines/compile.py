"""`compile`: pipelines as topologies, and as documents for a cluster and its other users; without any server."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.exits import Exit, Failed
from streams.cli.output import Output, OutputOption, columns, emit, emit_list
from streams.cli.pipelines.offline import compiled, contracts, is_file, select
from streams.cli.settings import settings

if TYPE_CHECKING:
    from streams.language.topology import Topology

Words = Annotated[
    list[str] | None,
    typer.Argument(
        help="Names of pipelines or services, or files, or folders; without any, everything.", metavar="[NAME|FILE…]"
    ),
]
Topics = Annotated[bool, typer.Option("--topics", help="The topics that they need, with partitions and configuration.")]
Strimzi = Annotated[
    bool,
    typer.Option(
        "--strimzi",
        help="KafkaTopic and KafkaUser resources for Strimzi, in YAML; with files, for everything that `apply` creates from them.",
    ),
]
Mermaid = Annotated[bool, typer.Option("--mermaid", help="The graph, as a Mermaid diagram.")]
AsyncApi = Annotated[bool, typer.Option("--asyncapi", help="The AsyncAPI 3 document of the topics, in JSON.")]
Json = Annotated[bool, typer.Option("--json", help="The compiled topology, in JSON, one a line.")]
ClusterName = Annotated[str, typer.Option("--cluster", help="With --strimzi: the name of the Kafka resource.")]
Authentication = Annotated[
    str, typer.Option("--authentication", help="With --strimzi: tls, tls-external or scram-sha-512.")
]
Dynamic = Annotated[
    bool,
    typer.Option("--dynamic", help="With --strimzi: also the rights for pipelines that are put over HTTP."),
]

_AUTHENTICATIONS = ("tls", "tls-external", "scram-sha-512")


def compile_(
    words: Words = None,
    topics: Topics = False,
    strimzi: Strimzi = False,
    mermaid: Mermaid = False,
    asyncapi: AsyncApi = False,
    json: Json = False,
    cluster: ClusterName = "millrace",
    authentication: Authentication = "tls",
    dynamic: Dynamic = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Compile pipelines, offline; print what they are, or one of the documents below."""
    if sum((topics, strimzi, mermaid, asyncapi, json)) > 1:
        raise Failed(Exit.USAGE, "--topics, --strimzi, --mermaid, --asyncapi, --json: one of them")
    known = contracts()
    library, names = select(words or [], known)
    if strimzi and all(is_file(word) for word in words or []):
        names = None  # the installation that `apply` creates from these files
    topologies = compiled(library, known, names).topologies
    services = [] if names else [(contract.name, contract.major) for contract in known.values()]
    if topics:
        _topics(topologies, services, output)
    elif strimzi:
        _strimzi(topologies, services, cluster, authentication, dynamic, output)
    elif mermaid:
        _mermaid(topologies, output)
    elif asyncapi:
        _asyncapi(topologies, output)
    elif json:
        for topology in topologies.values():
            print(topology.to_json().decode())
    else:
        for topology in topologies.values():
            _about(topology, output)


def _about(topology: "Topology", output: Output) -> None:
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


def _topics(topologies: "Mapping[str, Topology]", services: list[tuple[str, int]], output: Output) -> None:
    from streams.wire import topic_specs
    from streams.wire import topics as names

    here = settings()
    used = {(name, use.major) for topology in topologies.values() for name, use in topology.services.items()}
    specs = topic_specs.every(
        names.Topics(here.topic_prefix), here.partitions, services={*used, *services}, pipelines=topologies
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


def _strimzi(
    topologies: "Mapping[str, Topology]",
    services: list[tuple[str, int]],
    cluster: str,
    authentication: str,
    dynamic: bool,
    output: Output,
) -> None:
    from streams.render.strimzi import Cluster, strimzi, to_yaml
    from streams.wire.topics import Topics as Names

    if authentication not in _AUTHENTICATIONS:
        raise Failed(Exit.USAGE, f"--authentication {authentication}: one of {', '.join(_AUTHENTICATIONS)}")
    here = settings()
    where = Cluster(cluster, here.replication, authentication, dynamic)
    resources = strimzi(topologies.values(), services, Names(here.topic_prefix), here.partitions, where)
    if output is Output.JSON:
        for resource in resources:
            emit(output, resource, "")
    else:
        print(to_yaml(resources), end="")


def _mermaid(topologies: "Mapping[str, Topology]", output: Output) -> None:
    from streams.render.mermaid import mermaid

    for topology in topologies.values():
        picture = mermaid(topology)
        name = f"%% {topology.name}\n" if len(topologies) > 1 else ""
        emit(output, {"name": topology.name, "mermaid": picture}, f"{name}{picture}".rstrip("\n"))


def _asyncapi(topologies: "Mapping[str, Topology]", output: Output) -> None:
    import json

    from streams.render.asyncapi import asyncapi
    from streams.wire.topics import Topics as Names

    here = settings()
    document = asyncapi(topologies.values(), Names(here.topic_prefix), kafka=here.kafka, registry=here.registry)
    emit(output, document, lambda: json.dumps(document, indent=2, ensure_ascii=False))


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={inner}" for key, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
