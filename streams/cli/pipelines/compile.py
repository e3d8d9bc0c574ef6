"""`compile`: pipelines as topologies, and as documents for a cluster and its other users; without any server."""

from typing import Annotated

import typer

from streams.cli.exits import Exit, Failed
from streams.cli.output import Output, OutputOption

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
    if strimzi and authentication not in _AUTHENTICATIONS:
        raise Failed(Exit.USAGE, f"--authentication {authentication}: one of {', '.join(_AUTHENTICATIONS)}")
    from streams.cli.pipelines import documents
    from streams.cli.pipelines.offline import compiled, contracts, is_file, select

    known = contracts()
    library, names = select(words or [], known)
    if strimzi and all(is_file(word) for word in words or []):
        names = None  # the installation that `apply` creates from these files
    topologies = compiled(library, known, names).topologies
    services = [] if names else [(contract.name, contract.major) for contract in known.values()]
    if topics:
        documents.topics(topologies, services, output)
    elif strimzi:
        documents.strimzi(topologies, services, cluster, authentication, dynamic, output)
    elif mermaid:
        documents.mermaid(topologies, output)
    elif asyncapi:
        documents.asyncapi(topologies, output)
    elif json:
        for topology in topologies.values():
            print(topology.to_json().decode())
    else:
        for topology in topologies.values():
            documents.about(topology, output)
