"""`data fetch`: public data and model weights, from where their makers publish them."""

from typing import Annotated

import typer

from streams.cli.exits import Exit, Failed
from streams.cli.offline import counted
from streams.cli.output import Output, OutputOption, emit, problems
from streams.cli.settings import settings

Names = Annotated[
    list[str] | None,
    typer.Argument(help="Files of the data catalogue, or its folders; none means all.", metavar="[NAME…]"),
]


def fetch(names: Names = None, output: OutputOption = Output.TEXT) -> None:
    """Bring files of the data catalogue into the data directory (MILLRACE_DATA), with their hashes checked."""
    from streams import data

    folder = settings().data
    failures = []
    try:
        wanted = data.select(names or [])
    except data.DataError as error:
        raise Failed(Exit.UNKNOWN, str(error)) from error
    for entry in wanted:
        try:
            fetched = data.fetch(entry, folder)
        except data.DataError as error:
            failures.append(error)
            continue
        how = "downloaded" if fetched.downloaded else "there already"
        value = {"name": entry.name, "path": str(fetched.path), "downloaded": fetched.downloaded, "bytes": entry.size}
        emit(output, value, f"{entry.name}  {how}  {fetched.path}")
    if failures:
        problems(failures)
        raise Failed(Exit.REFUSED, f"{counted(len(failures))}; the other files are there")
