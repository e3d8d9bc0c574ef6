"""`run`, `events`, `result`, `cancel`: runs, over HTTP."""

import math
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from streams.cli.client import Gateway, part
from streams.cli.exits import Exit, Failed
from streams.cli.output import Output, OutputOption, emit, say

Name = Annotated[str, typer.Argument(help="A pipeline, or a service.")]
Run = Annotated[str, typer.Argument(help="The run's id.", metavar="RUN")]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "-i",
        "--input",
        metavar="NAME=VALUE",
        help="One input: text, a number or JSON; NAME=@FILE sends a file (@- stdin). Repeated, it makes a list."
        " data=@FILE gives several inputs in one JSON object.",
    ),
]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Print the events as they come, then the result.")]
Wait = Annotated[int | None, typer.Option("--wait", min=1, help="Wait this many seconds for the result.")]
Key = Annotated[str | None, typer.Option("--key", help="Idempotency key: the same key never starts a second run.")]
After = Annotated[str, typer.Option("--after", help="Only events past the one with this id.")]
Target = Annotated[
    str | None,
    typer.Option(
        "-o", "--to", metavar="FILE", help="Download the image to a file (- for stdout), or all to a FOLDER/."
    ),
]


def run(
    name: Name,
    inputs: Inputs = None,
    follow: Follow = False,
    wait: Wait = None,
    key: Key = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Run a pipeline or a service; print the run's id, or its events, or its result."""
    from streams.cli.runs import follow as following

    if follow and wait:
        raise Failed(Exit.USAGE, "--follow and --wait: one of the two")
    headers = {"prefer": f"wait={wait}"} if wait else {}
    if key:
        headers["idempotency-key"] = key
    with ExitStack() as opened:
        values = [(field, opened.enter_context(value)) for field, value in _values(inputs or [])]
        gateway = opened.enter_context(Gateway())
        body: dict[str, Any] = {"files": [(field, _part(value)) for field, value in values]} if values else {"json": {}}
        since = time.monotonic()
        # With `wait` the gateway answers when the run has ended, or the time is up.
        answer = gateway.call(
            "POST", f"/pipelines/{part(name)}/runs", headers=headers, timeout=(wait or 0) + 60.0, **body
        )
        document = answer.json()
        if follow:
            say(f"millrace: run {document['id']}")
            raise typer.Exit(following.show(gateway, document["id"], output))
        if not wait:
            emit(output, document, document["id"])
            return
        if answer.status_code != 200:
            document = _awaited_or_shown(gateway, document, since + wait, output)
        emit(output, document, lambda: following.result(gateway.url, document.get("output")))


def _awaited_or_shown(gateway: Gateway, document: Mapping[str, Any], deadline: float, output: Output) -> Any:
    """Wait for a result until the deadline; print the run's id before failing because the run continues."""
    try:
        return _awaited(gateway, document["id"], deadline)
    except Failed as failed:
        if failed.exit is Exit.RUN_NOT_OVER:
            emit(output, document, document["id"])
        raise


def events(identity: Run, after: After = "", output: OutputOption = Output.TEXT) -> None:
    """Print the events of a run from its beginning, and as they come, to its last one; then the result."""
    from streams.cli.runs import follow as following

    if after and not after.isdecimal():
        raise Failed(Exit.USAGE, f"--after {after}: the id of an event is a number")
    with Gateway() as gateway:
        gateway.call(
            "GET", "/health/live"
        )  # fail at once if the gateway is unavailable from the start; only a lost connection is retried
        raise typer.Exit(following.show(gateway, identity, output, after))


def result(identity: Run, wait: Wait = None, to: Target = None, output: OutputOption = Output.TEXT) -> None:
    """Print the result of a run that has ended, or download the images in it."""
    from streams.cli.runs import download
    from streams.cli.runs import follow as following

    with Gateway() as gateway:
        document = _awaited(gateway, identity, time.monotonic() + (wait or 0))
        if to is None:
            emit(output, document, lambda: following.result(gateway.url, document.get("output")))
            return
        for path in download.save(gateway, document.get("output"), to):
            emit(output, {"file": str(path)}, str(path))


def cancel(identity: Run, output: OutputOption = Output.TEXT) -> None:
    """Cancel a run; its last event has the outcome."""
    with Gateway() as gateway:
        document = gateway.call("DELETE", f"/runs/{part(identity)}").json()
        emit(output, document, f"{document['id']} {document['status']}")


def _awaited(gateway: Gateway, run: str, deadline: float) -> Any:
    """Wait for the result of a run until the deadline of the monotonic clock; the gateway limits the wait of one call."""
    while True:
        left = max(0, math.ceil(deadline - time.monotonic()))
        headers = {"prefer": f"wait={left}"}
        try:
            return gateway.call("GET", f"/runs/{part(run)}/result", headers=headers, timeout=left + 60.0).json()
        except Failed as failed:
            if failed.exit is not Exit.RUN_NOT_OVER:
                raise
            if time.monotonic() >= deadline:
                raise Failed(Exit.RUN_NOT_OVER, f"run {run} continues; `millrace events {run}` follows it") from None


def _values(inputs: list[str]) -> "Iterator[tuple[str, Any]]":
    for text in inputs:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise Failed(Exit.USAGE, f"-i {text}: say NAME=VALUE, or NAME=@FILE")
        yield name, _Opened(name, value)


class _Opened:
    """The value of one input: text, or an open file."""

    def __init__(self, name: str, value: str) -> None:
        self.name, self.value = name, value
        self.file: IO[bytes] | bytes | None = None

    def __enter__(self) -> "_Opened":
        if self.value.startswith("@"):
            path = self.value[1:]
            try:
                self.file = sys.stdin.buffer if path == "-" else Path(path).open("rb")
                if not self.file.seekable():  # a pipe is read whole, because its length must be known before sending
                    self.file = self.file.read()
            except OSError as error:
                raise Failed(Exit.USAGE, f"-i {self.name}=@{path}: {error.strerror or error}") from None
        return self

    def __exit__(self, *_: object) -> None:
        if self.file is not None and not isinstance(self.file, bytes):
            self.file.close()


def _part(opened: _Opened) -> tuple[str | None, Any]:
    """Return (file name, content) as httpx takes it; a part without a file name is a plain field."""
    if opened.file is None:
        return None, os.fsencode(opened.value)
    return os.fsencode(Path(opened.value[1:]).name).decode(errors="replace") or "stdin", opened.file
