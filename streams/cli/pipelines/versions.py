"""`rollback`, `forget`, and what `pipelines NAME` shows with `--versions` and `--shadow`: versions, over HTTP."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from streams.cli.client import Gateway, part
from streams.cli.output import Output, OutputOption, columns, emit, emit_list, say

Name = Annotated[str, typer.Argument(help="A pipeline.")]
Digest = Annotated[str, typer.Argument(help="The beginning of a version's digest.", metavar="[DIGEST]")]
_SHOWN = 12


def rollback(name: Name, digest: Digest = "", output: OutputOption = Output.TEXT) -> None:
    """End the trial of a pipeline; without a trial, make the previous version (or DIGEST) active. Active runs continue.

    A second rollback undoes the first. The next `apply` of the file makes the file's version active again.
    """
    with Gateway() as gateway:
        body = {"digest": digest} if digest else {}
        document = gateway.call("POST", f"/pipelines/{part(name)}/rollback", json=body).json()
        emit(output, document, f"{name} is at {document['digest'][:_SHOWN]}")


def forget(name: Name, digest: Digest = "", output: OutputOption = Output.TEXT) -> None:
    """Delete former versions of a pipeline that no run needs; they cannot be restored."""
    with Gateway() as gateway:
        document = gateway.call("DELETE", f"/pipelines/{part(name)}/versions", params={"digest": digest}).json()
    for version in document["forgotten"]:
        emit(output, {"pipeline": name, "digest": version}, f"{name}@{version[:_SHOWN]} is forgotten")
    if not document["forgotten"]:
        say(f"millrace: every version of {name} is still needed; `millrace pipelines {name} --versions` says why")


def show_versions(gateway: Gateway, name: str, output: Output) -> None:
    """List the versions of a pipeline, newest first."""
    versions = gateway.call("GET", f"/pipelines/{part(name)}/versions").json()["versions"]
    rows = (
        (
            version["digest"][:_SHOWN],
            _status(version),
            str("?" if version["runs"] is None else version["runs"]),
            version["changed_at"],
        )
        for version in versions
    )
    emit_list(output, versions, ("DIGEST", "STATUS", "RUNS", "CHANGED"), rows, f"{name} has no version")


def show_shadow(gateway: Gateway, name: str, output: Output) -> None:
    """Compare the results of the shadow version with those that callers get."""
    shadow = gateway.call("GET", f"/pipelines/{part(name)}/shadow").json()
    emit(output, shadow, lambda: _shadow(shadow))


def _status(version: Mapping[str, Any]) -> str:
    return f"{version['status']} {version['share'] * 100:g}%" if 0 < version["share"] < 1 else str(version["status"])


def _shadow(shadow: Mapping[str, Any]) -> str:
    head = [
        ("shadow", shadow["digest"][:_SHOWN]),
        ("beside", shadow["against"][:_SHOWN]),
        *((name, str(shadow[name])) for name in ("runs", "same", "different", "incomparable", "pending")),
    ]
    paths = [(path["path"], str(path["count"]), path["example"]) for path in shadow["paths"]]
    last = [
        f"{pair['run']}: {difference['path']}: {difference['active']} → {difference['candidate']}"
        for pair in shadow["last"]
        for difference in pair["differences"][:5]
    ]
    text = columns(head)
    if paths:
        text += "\n\n" + columns(paths, ("WHERE", "RUNS", "EXAMPLE")) + "\n\n" + "\n".join(last)
    return text
