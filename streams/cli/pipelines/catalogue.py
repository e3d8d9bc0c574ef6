"""`services` and `pipelines`: what there is, as the gateway knows it."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from streams.cli.client import Gateway, part
from streams.cli.exits import Exit, Failed
from streams.cli.output import Output, OutputOption, columns, emit, say

Name = Annotated[str | None, typer.Argument(help="Only this one, in full.")]
Versions = Annotated[bool, typer.Option("--versions", help="Its versions, and the runs under way on each.")]
Shadow = Annotated[
    bool, typer.Option("--shadow", help="What the version in the shadow gives, beside what callers get.")
]


def services(name: Name = None, output: OutputOption = Output.TEXT) -> None:
    """List the services that have a live worker; with a name, show all about one."""
    with Gateway() as gateway:
        if name:
            one = gateway.call("GET", f"/services/{part(name)}").json()
            emit(output, one, lambda: _whole(one))
            return
        found = gateway.call("GET", "/services").json()["services"]
    if output is Output.JSON:
        for one in found:
            emit(output, one, "")
    elif found:
        rows = [
            (
                one["name"],
                one["version"],
                str(sum(worker.get("able", True) for worker in one["workers"])),
                one["summary"],
            )
            for one in found
        ]
        print(columns(rows, ("SERVICE", "VERSION", "WORKERS", "SUMMARY")))
        for one in found:
            if one.get("problem"):
                able = any(worker.get("able", True) for worker in one["workers"])
                how = "works with less than it could" if able else "cannot be served now, its calls wait"
                say(f"millrace: {one['name']} {how}; `millrace services {one['name']}` says why")
    else:
        say("millrace: no service has a live worker now")


def pipelines(
    name: Name = None, versions: Versions = False, shadow: Shadow = False, output: OutputOption = Output.TEXT
) -> None:
    """List the pipelines; with a name, show one with its definition, its versions, or what its shadow shows."""
    from streams.cli.pipelines.versions import show_shadow, show_versions

    if (versions or shadow) and not name:
        raise Failed(Exit.USAGE, "--versions and --shadow are about one pipeline: name it")
    with Gateway() as gateway:
        if name and (versions or shadow):
            (show_shadow if shadow else show_versions)(gateway, name, output)
            return
        if name:
            one = gateway.call("GET", f"/pipelines/{part(name)}").json()
            emit(output, one, lambda: one["definition"].rstrip())
            return
        found = gateway.call("GET", "/pipelines").json()["pipelines"]
    if output is Output.JSON:
        for one in found:
            emit(output, one, "")
    elif found:
        rows = [(one["name"], one["digest"][:12], one["owner"], _inputs(one), one["summary"]) for one in found]
        print(columns(rows, ("PIPELINE", "DIGEST", "OWNER", "INPUT", "SUMMARY")))
    else:
        say("millrace: there are no pipelines; `millrace apply` publishes them")


def _inputs(one: Mapping[str, Any]) -> str:
    """`photo strength?`: what may be left away has a question mark."""
    schema = one["input"]
    needed = schema.get("required", ())
    return " ".join(field if field in needed else f"{field}?" for field in schema.get("properties", {}))


def _whole(one: Mapping[str, Any]) -> str:
    rows = [(key, str(one[key])) for key in ("name", "version", "summary", "model", "problem") if one.get(key)]
    rows.append(("workers", ", ".join(worker["worker"] for worker in one["workers"])))
    for side in ("input", "output"):
        needed = one[side].get("required", ())
        for field, schema in one[side].get("properties", {}).items():
            optional = "" if field in needed or side == "output" else " (may be left away)"
            rows.append((side, f"{field}{optional}: {schema.get('description', '')}".rstrip(": ")))
    return columns(rows) + (f"\n\n{one['description']}" if one.get("description") else "")
