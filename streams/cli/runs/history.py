"""`runs`: the runs that there were, over HTTP."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from streams.cli.client import Gateway
from streams.cli.output import Output, OutputOption, emit_list
from streams.cli.timestamps import since as moment
from streams.lifecycle import RunStatus

_PAGE = 500
"""Runs that the gateway gives at once, at most."""


Pipeline = Annotated[str | None, typer.Option("--pipeline", help="Only those of this pipeline or service.")]
InStatus = Annotated[
    list[RunStatus] | None, typer.Option("--status", help="Only those in this state; may be repeated.")
]
Since = Annotated[
    str, typer.Option("--since", help="Only those accepted since then: 2026-11-21T10:00, or 30m, 6h, 2d ago.")
]
Until = Annotated[str, typer.Option("--until", help="Only those accepted before then.")]
Last = Annotated[int, typer.Option("--last", min=1, help="How many, the newest first.")]


def listing(
    pipeline: Pipeline = None,
    status: InStatus = None,
    since: Since = "",
    until: Until = "",
    last: Last = 20,
    output: OutputOption = Output.TEXT,
) -> None:
    """List runs, the newest first: where each is, how long it took, and why it failed."""
    wanted = {
        "pipeline": pipeline,
        "status": ",".join(status) if status else None,
        "since": moment("--since", since).isoformat() if since else None,
        "until": moment("--until", until).isoformat() if until else None,
    }
    with Gateway() as gateway:
        runs = list(_pages(gateway, wanted, last))
    rows = (
        (run["id"], run["pipeline"], run["status"], run["accepted_at"] or "-", _seconds(run), _why(run)) for run in runs
    )
    emit_list(output, runs, ("RUN", "PIPELINE", "STATUS", "ACCEPTED", "SECONDS", ""), rows, "there are no such runs")


def _pages(gateway: Gateway, wanted: dict[str, str | None], left: int) -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    while left > 0:
        page = gateway.call("GET", "/runs", params={**wanted, "limit": min(left, _PAGE), "cursor": cursor}).json()
        yield from page["runs"]
        left -= len(page["runs"])
        cursor = page["next"]
        if cursor is None:
            return


def _seconds(run: dict[str, Any]) -> str:
    return "-" if run["seconds"] is None else f"{run['seconds']:.2f}"


def _why(run: dict[str, Any]) -> str:
    reason = str((run["failure"] or {}).get("reason") or run["waiting_for"] or "")
    return reason.partition("\n")[0]
