"""`apply`: synchronise topics, schemas and the catalogue with the pipelines."""

import asyncio
import logging
from typing import Annotated

import typer

from streams.cli.output import Output, OutputOption, say
from streams.cli.settings import settings

Files = Annotated[list[str] | None, typer.Argument(help="Your pipeline files, or folders of them.", metavar="[FILES…]")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask (without a terminal, it never asks).")]
Prune = Annotated[bool, typer.Option("--prune", help="Remove pipelines whose files are no longer given.")]
Breaking = Annotated[bool, typer.Option("--breaking", help="Publish also what breaks present callers or readers.")]
Canary = Annotated[
    str | None,
    typer.Option("--canary", metavar="SHARE", help="Try what changes for this share of the runs, such as 10%."),
]
Shadow = Annotated[
    bool, typer.Option("--shadow", help="Try what changes on every request, unseen, and compare what it gives.")
]
Wait = Annotated[float, typer.Option("--wait", help="Seconds to wait for a part that is unavailable.", min=1)]


def apply(
    paths: Files = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    prune: Prune = False,
    breaking: Breaking = False,
    canary: Canary = None,
    shadow: Shadow = False,
    wait: Wait = 60.0,
    output: OutputOption = Output.TEXT,
) -> None:
    """Compile every pipeline (shipped, one per service, and yours) and update Kafka: topics, schemas, catalogue.

    Prints the plan first: what changes, which groups it concerns, and which runs are active. It does everything or nothing, and
    leaves alone what is up to date, so it can be repeated at any time, also after a crash.
    """
    from streams.cli.pipelines import plan
    from streams.cli.pipelines.offline import compiled, contracts, select
    from streams.runtime.catalogue.apply import Wanted

    # Clients log every attempt; the error is reported once, at the end.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    options = plan.Options(dry_run, yes, prune, breaking, plan.trial(canary, shadow=shadow), wait, output)
    known = contracts()
    library, _ = select(paths or [], known)
    topologies = compiled(library, known).topologies
    wanted = [Wanted(topology, library.specs[name].source.text) for name, topology in topologies.items()]
    services = [(contract.name, contract.major) for contract in known.values()]
    changes = asyncio.run(plan.apply(settings(), wanted, services, options))
    many = f"{len(changes) or 'no'} change{'' if len(changes) == 1 else 's'}"
    say(f"millrace: {len(wanted)} pipelines, {many}{' would be' if dry_run else ''} made")
