"""`apply`: synchronise topics, schemas and the catalogue with the pipelines."""

import asyncio
import logging
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.exits import Exit, Failed
from streams.cli.output import Output, OutputOption, emit, problems, say
from streams.cli.pipelines.offline import compiled, contracts, counted, select
from streams.cli.settings import settings

if TYPE_CHECKING:
    from streams.flow.rollout import Trial
    from streams.runtime.catalogue.apply import Change, Plan, Wanted
    from streams.settings import Settings

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


@dataclass(frozen=True)
class _How:
    dry: bool
    yes: bool
    prune: bool
    breaking: bool
    trial: "Trial | None"
    wait: float
    output: Output


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
    from streams.runtime.catalogue.apply import Wanted

    # Clients log every attempt; the error is reported once, at the end.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    how = _How(dry_run, yes, prune, breaking, _trial(canary, shadow), wait, output)
    known = contracts()
    library, _ = select(paths or [], known)
    topologies = compiled(library, known).topologies
    wanted = [Wanted(topology, library.specs[name].source.text) for name, topology in topologies.items()]
    services = [(contract.name, contract.major) for contract in known.values()]
    changes = asyncio.run(_apply(settings(), wanted, services, how))
    many = f"{len(changes) or 'no'} change{'' if len(changes) == 1 else 's'}"
    say(f"millrace: {len(wanted)} pipelines, {many}{' would be' if dry_run else ''} made")


def _trial(canary: str | None, shadow: bool) -> "Trial | None":
    from streams.flow.rollout import Trial, percent

    if canary is not None and shadow:
        raise Failed(Exit.USAGE, "--canary and --shadow: one of the two")
    try:
        return Trial(share=percent(canary)) if canary is not None else Trial(shadow=True) if shadow else None
    except ValueError as error:
        raise Failed(Exit.USAGE, f"--canary: {error}") from error


def _agreed(plan: "Plan", how: _How) -> bool:
    """Show the plan and return whether to carry it out."""
    from streams.cli.pipelines.plan import plan_text

    if how.output is Output.JSON:
        for change in plan.changes:
            emit(how.output, _row(change, plan), "")
    elif text := plan_text(plan):
        print(text, flush=True)
    if how.dry or how.yes or not plan.acts or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    return typer.confirm("Apply this?", err=True)


def _row(change: "Change", plan: "Plan") -> dict[str, object]:
    row: dict[str, object] = {
        "what": change.what,
        "name": change.name,
        "change": change.how,
        "detail": change.detail,
    }
    about = next((act for act in plan.acts if change.what == "pipeline" and act.name == change.name), None)
    if about is not None:
        row["runs"] = dict(about.runs) if plan.runs_known else None
        row["consumers"] = [{"group": service.group, "workers": service.workers} for service in about.services]
    return row


async def _apply(to: "Settings", wanted: "list[Wanted]", services: list[tuple[str, int]], how: _How) -> "list[Change]":
    from schemas.errors import RegistryUnavailable, SchemasError
    from streams.runtime.catalogue import apply as runtime
    from streams.runtime.errors import RuntimeFault, Unavailable

    asked = asyncio.Event()

    def agreed(plan: "Plan") -> bool:
        asked.set()
        return _agreed(plan, how)

    try:
        async with runtime.connected(to, "millrace-apply") as parts:
            work = asyncio.create_task(
                runtime.apply(
                    parts,
                    wanted,
                    services,
                    dry=how.dry,
                    prune=how.prune,
                    breaking=how.breaking,
                    trial=how.trial,
                    agreed=agreed,
                )
            )
            await asyncio.wait({work}, timeout=how.wait)
            if asked.is_set() and not work.done():  # a person may think for longer than a part may be unavailable
                await asyncio.wait({work}, timeout=how.wait)
            if not work.done():
                missing = " and ".join(parts.outages.now()) or "a part"
                work.cancel()
                raise Failed(
                    Exit.UNAVAILABLE,
                    f"{missing} does not answer, for {how.wait:g} s now; start the system with `make run`",
                )
            return work.result()
    except (Unavailable, RegistryUnavailable) as error:
        raise Failed(Exit.UNAVAILABLE, f"{error}; start the system with `make run`") from error
    except runtime.Breaking as error:
        problems(error.problems)
        count = counted(len(error.problems))
        raise Failed(Exit.REFUSED, f"{count}; nothing was published; --breaking publishes all the same") from error
    except (SchemasError, RuntimeFault) as error:
        raise Failed(Exit.REFUSED, str(error)) from error
