"""The plan of `apply`: shown, agreed to and carried out."""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import typer

from schemas.errors import RegistryUnavailable, SchemasError
from streams.cli.exits import Exit, Failed
from streams.cli.output import Output, counted, emit, problems
from streams.flow.rollout import Trial, percent
from streams.runtime.catalogue import apply as runtime
from streams.runtime.catalogue.plan import Change, How, Plan, Planned, Wanted
from streams.runtime.errors import RuntimeFault, Unavailable
from streams.settings import Settings

_SIGN = {How.NEW: "+", How.REMOVED: "-", How.UNCHANGED: "="}
_SHOWN = 12
"""Number of characters of a digest that are shown."""


@dataclass(frozen=True)
class Options:
    """The options of `apply`; `trial` None publishes what changes at once."""

    dry: bool
    yes: bool
    prune: bool
    breaking: bool
    trial: Trial | None
    wait: float
    """Seconds to wait for a part that is unavailable."""
    output: Output


def trial(canary: str | None, *, shadow: bool) -> Trial | None:
    """Return how `--canary` and `--shadow` try what changes; None without them. Raises Failed for both, and for a bad share."""
    if canary is not None and shadow:
        raise Failed(Exit.USAGE, "--canary and --shadow: one of the two")
    try:
        return Trial(share=percent(canary)) if canary is not None else Trial(shadow=True) if shadow else None
    except ValueError as error:
        raise Failed(Exit.USAGE, f"--canary: {error}") from error


async def apply(to: Settings, wanted: list[Wanted], services: list[tuple[str, int]], options: Options) -> list[Change]:
    """Show the plan, and carry it out once it is agreed to; return its changes. Raises Failed."""
    asked = asyncio.Event()

    def agreed(plan: Plan) -> bool:
        asked.set()
        return _agreed(plan, options)

    try:
        async with runtime.connected(to, "millrace-apply") as connections:
            work = asyncio.create_task(
                runtime.apply(
                    connections,
                    wanted,
                    services,
                    dry=options.dry,
                    prune=options.prune,
                    breaking=options.breaking,
                    trial=options.trial,
                    agreed=agreed,
                )
            )
            await asyncio.wait({work}, timeout=options.wait)
            if asked.is_set() and not work.done():  # a person may think for longer than a part may be unavailable
                await asyncio.wait({work}, timeout=options.wait)
            if not work.done():
                missing = " and ".join(connections.outages.now()) or "a part"
                work.cancel()
                raise Failed(
                    Exit.UNAVAILABLE,
                    f"{missing} does not answer, for {options.wait:g} s now; start the system with `make run`",
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


def plan_text(plan: Plan) -> str:
    """Write what would change and which groups it concerns; empty if everything is up to date."""
    return "\n".join(_lines(plan))


def _lines(plan: Plan) -> Iterator[str]:
    if not plan.changes:
        return
    unchanged = [pipeline.name for pipeline in plan.pipelines if pipeline.how is How.UNCHANGED]
    yield "Pipelines"
    for act in plan.acts:
        yield f"  {_SIGN.get(act.how, '~')} {act.name}: {act.how} ({act.detail})"
        yield from _concerned(act, plan)
    if unchanged:
        yield f"  = {len(unchanged)} unchanged"
    created = [topic for topic in plan.topics if topic.how in (How.NEW, How.CHANGED)]
    unused = [topic for topic in plan.topics if topic.how is How.UNUSED]
    if created or unused:
        yield "Topics"
        yield from (f"  {_SIGN.get(new_topic.how, '~')} {new_topic.name} ({new_topic.detail})" for new_topic in created)
        yield from (f"  . {new_topic.name} {new_topic.how}, {new_topic.detail}" for new_topic in unused)
    if plan.schemas:
        yield "Schemas"
        yield from (f"  + {subject}" for subject in plan.schemas)


def _concerned(planned: Planned, plan: Plan) -> Iterator[str]:
    groups = [f"{group.group} ({_workers(group.workers)})" for group in planned.services]
    if planned.how is not How.REMOVED:
        yield f"      consumers: {', '.join(['flow', *groups])}"
    if not plan.runs_known:
        yield "      runs in progress: not known, the history does not answer"
    elif planned.runs:
        counts = ", ".join(f"{count} on {digest[:_SHOWN]}" for digest, count in planned.runs.items())
        yield f"      runs in progress: {counts}; they end on the version that they began on"
    elif planned.how is not How.NEW:
        yield "      runs in progress: none"
    unsure = [] if planned.topology is None or planned.how is not How.SHADOW else sorted(planned.topology.services)
    if "http-call" in unsure or "notify" in unsure:
        yield "      take care: its calls to other systems are made twice, once for each version"


def _workers(count: int | None) -> str:
    return "not announced yet" if count is None else "no live worker" if not count else f"{count} live"


def _agreed(plan: Plan, options: Options) -> bool:
    """Show the plan and return whether to carry it out."""
    if options.output is Output.JSON:
        for change in plan.changes:
            emit(options.output, _row(change, plan), "")
    elif text := plan_text(plan):
        print(text, flush=True)
    if options.dry or options.yes or not plan.acts or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    return typer.confirm("Apply this?", err=True)


def _row(change: Change, plan: Plan) -> dict[str, object]:
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
