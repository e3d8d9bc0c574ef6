"""`notices`: notices of runs that ended, over HTTP."""

from enum import StrEnum
from typing import Annotated

import typer

from streams.cli.client import Gateway, part
from streams.cli.output import Output, OutputOption, emit, emit_list


class State(StrEnum):
    """What has become of a notice."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given up"


Identity = Annotated[str, typer.Argument(help="The notice's id, as `list` shows it.", metavar="ID")]
Last = Annotated[int, typer.Option("--last", min=1, max=500, help="How many, the newest first.")]
InState = Annotated[State | None, typer.Option("--state", help="Only those in this state.")]
OfRun = Annotated[str | None, typer.Option("--run", help="Only those of this run.")]


def listing(last: Last = 20, state: InState = None, run: OfRun = None, output: OutputOption = Output.TEXT) -> None:
    """List notices of ended runs, the newest first: whether they were delivered, and why not."""
    wanted = {"state": state.value if state else None, "run": run, "limit": last}
    with Gateway() as gateway:
        notices = gateway.call("GET", "/notices", params=wanted).json()["notices"]
    rows = (
        (
            notice["id"],
            notice["event"],
            notice["pipeline"],
            notice["to"],
            notice["state"],
            str(notice["tries"]),
            notice["error"] or "",
        )
        for notice in notices
    )
    head = ("ID", "EVENT", "PIPELINE", "TO", "STATE", "TRIES", "ERROR")
    emit_list(output, notices, head, rows, "there are no such notices; MILLRACE_NOTIFY names the list of receivers")


def resend(identity: Identity, output: OutputOption = Output.TEXT) -> None:
    """Try a notice again, with the same id; also one that was given up or delivered."""
    with Gateway() as gateway:
        notice = gateway.call("POST", f"/notices/{part(identity)}/resend").json()
    emit(output, notice, f"{notice['id']} → {notice['to']}")
