"""`apply`: topics, schemas and the catalogue brought in step with the pipelines."""

import asyncio
import logging
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.exits import Exit, Failed
from streams.cli.offline import compiled, contracts, counted, select
from streams.cli.output import Output, OutputOption, columns, emit, problems, say
from streams.cli.settings import settings

if TYPE_CHECKING:
    from streams.runtime.apply import Change, Wanted
    from streams.settings import Settings

Files = Annotated[
    list[str] | None, typer.Argument(help="Pipeline files of your own, or folders of them.", metavar="[FILES…]")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")]
Prune = Annotated[
    bool, typer.Option("--prune", help="Remove pipelines that came from files which are not given any more.")
]
Breaking = Annotated[
    bool, typer.Option("--breaking", help="Publish also what present callers or readers do not fit any more.")
]
Wait = Annotated[float, typer.Option("--wait", help="Seconds to wait for a part that is away.", min=1)]


def apply(
    paths: Files = None,
    dry_run: DryRun = False,
    prune: Prune = False,
    breaking: Breaking = False,
    wait: Wait = 60.0,
    output: OutputOption = Output.TEXT,
) -> None:
    """Compile every pipeline (shipped, one per service, and yours) and bring Kafka in step: topics, schemas, catalogue.

    What is in step already is left alone, so it may be said again at any time. Prints what is new or changed.
    """
    from streams.runtime.apply import Wanted

    # Its clients tell of every attempt; what counts is told once, at the end.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    known = contracts()
    library, _ = select(paths or [], known)
    topologies = compiled(library, known).topologies
    wanted = [Wanted(topology, library.specs[name].source.text) for name, topology in topologies.items()]
    services = [(contract.name, contract.major) for contract in known.values()]
    changes = asyncio.run(_apply(settings(), wanted, services, dry_run, prune, breaking, wait))
    for change in changes:
        value = {"what": change.what, "name": change.name, "change": change.how, "detail": change.detail}
        if output is Output.JSON:
            emit(output, value, "")
    if output is Output.TEXT and changes:
        print(columns([(one.what, one.how, one.name, one.detail) for one in changes]))
    done = "would change" if dry_run else "changed"
    say(f"millrace: {len(wanted)} pipelines, {len(changes) or 'nothing'} {done}")


async def _apply(
    to: "Settings",
    wanted: "list[Wanted]",
    services: list[tuple[str, int]],
    dry: bool,
    prune: bool,
    breaking: bool,
    wait: float,
) -> "list[Change]":
    from schemas.errors import RegistryAway, SchemasError
    from streams.runtime import apply as runtime
    from streams.runtime.errors import Away, RuntimeFault

    try:
        async with runtime.connected(to, "millrace-apply") as parts:
            work = asyncio.create_task(runtime.apply(parts, wanted, services, dry=dry, prune=prune, breaking=breaking))
            await asyncio.wait({work}, timeout=wait)
            if not work.done():
                away = " and ".join(parts.outages.now()) or "a part"
                work.cancel()
                raise Failed(Exit.AWAY, f"{away} does not answer, for {wait:g} s now; start the system with `make run`")
            return work.result()
    except (Away, RegistryAway) as error:
        raise Failed(Exit.AWAY, f"{error}; start the system with `make run`") from error
    except runtime.Breaking as error:
        problems(error.problems)
        count = counted(len(error.problems))
        raise Failed(Exit.REFUSED, f"{count}; nothing was published; --breaking publishes all the same") from error
    except (SchemasError, RuntimeFault) as error:
        raise Failed(Exit.REFUSED, str(error)) from error
