"""`services` and `pipelines`: the gateway's catalogue."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from streams.cli.client import Gateway, part
from streams.cli.exits import Exit, Failed
from streams.cli.output import Output, OutputOption, columns, emit, emit_list, say

Name = Annotated[str | None, typer.Argument(help="Only this one, in full.")]
Versions = Annotated[bool, typer.Option("--versions", help="Its versions, and the active runs of each.")]
Shadow = Annotated[
    bool, typer.Option("--shadow", help="Compare the results of the shadow version with those that callers get.")
]


def services(name: Name = None, output: OutputOption = Output.TEXT) -> None:
    """List the services that have a live worker; with a name, show all about one."""
    with Gateway() as gateway:
        if name:
            service = gateway.call("GET", f"/services/{part(name)}").json()
            emit(output, service, lambda: _whole(service))
            return
        services = gateway.call("GET", "/services").json()["services"]
    rows = (
        (
            service["name"],
            service["version"],
            str(sum(worker.get("able", True) for worker in service["workers"])),
            service["summary"],
        )
        for service in services
    )
    head = ("SERVICE", "VERSION", "WORKERS", "SUMMARY")
    emit_list(output, services, head, rows, "no service has a live worker now")
    if output is Output.TEXT:
        _say_problems(services)


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
            pipeline = gateway.call("GET", f"/pipelines/{part(name)}").json()
            emit(output, pipeline, lambda: pipeline["definition"].rstrip())
            return
        pipelines = gateway.call("GET", "/pipelines").json()["pipelines"]
    rows = (
        (pipeline["name"], pipeline["digest"][:12], pipeline["owner"], _inputs(pipeline), pipeline["summary"])
        for pipeline in pipelines
    )
    empty = "there are no pipelines; `millrace apply` publishes them"
    emit_list(output, pipelines, ("PIPELINE", "DIGEST", "OWNER", "INPUT", "SUMMARY"), rows, empty)


def _say_problems(services: Iterable[Mapping[str, Any]]) -> None:
    for service in services:
        if service.get("problem"):
            able = any(worker.get("able", True) for worker in service["workers"])
            how = "works with less than it could" if able else "cannot be served now, its calls wait"
            say(f"millrace: {service['name']} {how}; `millrace services {service['name']}` says why")


def _inputs(pipeline: Mapping[str, Any]) -> str:
    """List inputs as `photo strength?`: optional ones have a question mark."""
    schema = pipeline["input"]
    needed = schema.get("required", ())
    return " ".join(field if field in needed else f"{field}?" for field in schema.get("properties", {}))


def _whole(service: Mapping[str, Any]) -> str:
    rows = [(key, str(service[key])) for key in ("name", "version", "summary", "model", "problem") if service.get(key)]
    rows.append(("workers", ", ".join(worker["worker"] for worker in service["workers"])))
    for side in ("input", "output"):
        needed = service[side].get("required", ())
        for field, schema in service[side].get("properties", {}).items():
            optional = "" if field in needed or side == "output" else " (may be left out)"
            rows.append((side, f"{field}{optional}: {schema.get('description', '')}".rstrip(": ")))
    return columns(rows) + (f"\n\n{service['description']}" if service.get("description") else "")
