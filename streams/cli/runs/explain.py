"""`explain` and `replay`: why a run is where it is, and running it again."""

import base64
import json
import mimetypes
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from streams.cli.client import Gateway, part
from streams.cli.exits import Exit, Failed
from streams.cli.output import Output, OutputOption, emit, say
from streams.cli.runs.run import Follow, Key, Run

From = Annotated[
    str, typer.Option("--from", metavar="NODE", help="Take over what does not come after this node; run the rest.")
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Another input (strength=0.4) or output (detect.faces[0].score=1): text, JSON, or @FILE for an image.",
    ),
]


def explain(identity: Run, output: OutputOption = Output.TEXT) -> None:
    """Say what a run waits for, from live data, which branches it skipped and why; or how it came to its end."""
    with Gateway() as gateway:
        document = gateway.call("GET", f"/runs/{part(identity)}/explain").json()
        emit(output, document, lambda: "\n".join(_lines(document)))


def replay(
    identity: Run,
    start: From = "",
    changes: Changes = None,
    follow: Follow = False,
    key: Key = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Repeat a run as a new run that is linked to it; print the new run's id, or its events.

    With --from, nodes that do not come after that node are not executed again: their outputs are taken over.
    """
    from streams.cli.runs import follow as following

    body: dict[str, Any] = {"set": dict(_change(text) for text in changes or [])}
    if start:
        body["from"] = start
    with Gateway() as gateway:
        headers = {"idempotency-key": key} if key else {}
        document = gateway.call("POST", f"/runs/{part(identity)}/replay", json=body, headers=headers).json()
        if follow:
            say(
                f"millrace: run {document['id']} takes {', '.join(document['reused']) or 'nothing'} over from {identity}"
            )
            raise typer.Exit(following.show(gateway, document["id"], output))
        emit(output, document, document["id"])


def _change(text: str) -> tuple[str, Any]:
    path, equals, value = text.partition("=")
    if not (path and equals):
        raise Failed(Exit.USAGE, f"--set {text}: say PATH=VALUE")
    if value.startswith("@"):
        return path, _picture(path, Path(value[1:]))
    try:
        return path, json.loads(value)
    except ValueError:
        return path, value


def _picture(path: str, file: Path) -> str:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise Failed(Exit.USAGE, f"--set {path}=@{file}: {error.strerror or error}") from None
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    yield f"{document['pipeline']} {document['id']}: {document['status']}"
    for wait in document.get("waits", ()):
        yield f"  {wait['text']}"
    for trouble in document.get("unread", ()):
        yield f"  {trouble}"
    for name, reasons in document.get("away", {}).items():
        yield f"  {name} is unavailable: {'; '.join(reasons)}"
    if failure := document.get("failure"):
        place = f"{failure['where']}: " if failure.get("where") else ""
        hint = f" ({failure['hint']})" if failure.get("hint") else ""
        yield f"  because {place}{failure.get('reason')}{hint}"
    for wait in document["failed"]:
        handled = f", and its on_error said {wait['on_error']}" if wait.get("on_error", "fail") != "fail" else ""
        yield f"  failed: {wait['path']}: {wait.get('reason')}{handled}"
    for wait in document["skipped"]:
        values = ", ".join(f"{name} = {json.dumps(value)}" for name, value in wait.get("values", {}).items())
        yield f"  skipped: {wait['path']}: {wait['reason']}" + (f", with {values}" if values else "")
