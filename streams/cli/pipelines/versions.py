"""`rollback`, `forget`, and what `pipelines NAME` shows with `--versions` and `--shadow`: versions, over HTTP."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from streams.cli.client import Gateway, part
from streams.cli.output import Output, OutputOption, columns, emit, say

Name = Annotated[str, typer.Argument(help="A pipeline.")]
Digest = Annotated[str, typer.Argument(help="The beginning of a version's digest.", metavar="[DIGEST]")]
_SHOWN = 12


def rollback(name: Name, digest: Digest = "", output: OutputOption = Output.TEXT) -> None:
    """End the trial of a pipeline; without one, make the version before (or DIGEST) active. Runs under way go on.

    Said twice it comes back to where it was. The next `apply` of the file makes the file's version active again.
    """
    with Gateway() as gateway:
        given = {"digest": digest} if digest else {}
        made = gateway.call("POST", f"/pipelines/{part(name)}/rollback", json=given).json()
        emit(output, made, f"{name} is at {made['digest'][:_SHOWN]}")


def forget(name: Name, digest: Digest = "", output: OutputOption = Output.TEXT) -> None:
    """Remove former versions of a pipeline that no run needs, for good; they cannot be gone back to."""
    with Gateway() as gateway:
        made = gateway.call("DELETE", f"/pipelines/{part(name)}/versions", params={"digest": digest}).json()
    for one in made["forgotten"]:
        emit(output, {"pipeline": name, "digest": one}, f"{name}@{one[:_SHOWN]} is forgotten")
    if not made["forgotten"]:
        say(f"millrace: every version of {name} is still needed; `millrace pipelines {name} --versions` says why")


def show_versions(gateway: Gateway, name: str, output: Output) -> None:
    """The versions of a pipeline, newest first."""
    found = gateway.call("GET", f"/pipelines/{part(name)}/versions").json()["versions"]
    if output is Output.JSON:
        for one in found:
            emit(output, one, "")
        return
    rows = [
        (one["digest"][:_SHOWN], _status(one), str("?" if one["runs"] is None else one["runs"]), one["changed_at"])
        for one in found
    ]
    print(columns(rows, ("DIGEST", "STATUS", "RUNS", "CHANGED")))


def show_shadow(gateway: Gateway, name: str, output: Output) -> None:
    """What the version in the shadow gives, beside what callers get."""
    found = gateway.call("GET", f"/pipelines/{part(name)}/shadow").json()
    emit(output, found, lambda: _shadow(found))


def _status(one: Mapping[str, Any]) -> str:
    return f"{one['status']} {one['share'] * 100:g}%" if 0 < one["share"] < 1 else str(one["status"])


def _shadow(found: Mapping[str, Any]) -> str:
    head = [
        ("shadow", found["digest"][:_SHOWN]),
        ("beside", found["against"][:_SHOWN]),
        *((name, str(found[name])) for name in ("runs", "same", "different", "incomparable", "pending")),
    ]
    paths = [(path["path"], str(path["count"]), path["example"]) for path in found["paths"]]
    last = [
        f"{pair['run']}: {difference['path']}: {difference['active']} → {difference['candidate']}"
        for pair in found["last"]
        for difference in pair["differences"][:5]
    ]
    text = columns(head)
    if paths:
        text += "\n\n" + columns(paths, ("WHERE", "RUNS", "EXAMPLE")) + "\n\n" + "\n".join(last)
    return text
