"""`import`: convert a pipeline of the older JSON format to YAML, or list what has no counterpart."""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.exits import Exit, Failed
from streams.cli.output import JsonOption, Output, OutputOption, emit, say

File = Annotated[Path, typer.Argument(help="The older pipeline, in JSON.", metavar="FILE", show_default=False)]
Into = Annotated[
    Path | None,
    typer.Option("-o", "--into", help="Write the YAML here instead of stdout; never overwrites a file."),
]
Service = Annotated[
    list[str] | None,
    typer.Option(
        "--service",
        help="The service of an older name or address; can be repeated.",
        metavar="OLD=NAME",
        show_default=False,
    ),
]


def import_(
    file: File, into: Into = None, service: Service = None, output: OutputOption = Output.TEXT, json: JsonOption = False
) -> None:
    """Convert a pipeline of the older JSON format to YAML that lint accepts, or list what has no counterpart; runs none of its code."""
    from streams.cli.pipelines.offline import contracts
    from streams.compile import library
    from streams.legacy.convert import convert
    from streams.legacy.report import NoCounterpart

    output = Output.JSON if json else output
    known = contracts()
    services = dict(_pair(pair, known) for pair in service or [])
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise Failed(Exit.REFUSED, f"{file}: not UTF-8 text") from None
    except OSError as error:
        raise Failed(Exit.REFUSED, f"{file}: the file cannot be read: {error.strerror or error}") from None
    try:
        converted = convert(text, known, services, library.load(known).specs, name=file.stem)
    except NoCounterpart as error:
        for finding in error.findings:
            emit(output, {"file": str(file), **finding.to_json()}, f"{file}: {finding}")
        many = f"{len(error.findings)} thing{'' if len(error.findings) == 1 else 's'}"
        raise Failed(Exit.REFUSED, f"{many} without a counterpart; nothing was written") from None
    if into is None:
        print(converted, end="")
        return
    try:
        with into.open("x", encoding="utf-8") as target:
            target.write(converted)
    except FileExistsError:
        raise Failed(Exit.REFUSED, f"{into} is there already; remove it, or name another file") from None
    except OSError as error:
        raise Failed(Exit.REFUSED, f"{into} cannot be written: {error.strerror or error}") from None
    say(f"millrace: written to {into}")


def _pair(text: str, known: Collection[str]) -> tuple[str, str]:
    old, sign, new = text.rpartition("=")
    if not sign or not old or not new:
        raise Failed(Exit.USAGE, f"--service {text}: say OLD=NAME, such as area-blur=image-blur")
    if new not in known:
        from streams.language.definition.parse import suggest

        raise Failed(Exit.UNKNOWN, f"--service {text}: there is no service {new!r}; {suggest(new, known)}")
    return old, new
