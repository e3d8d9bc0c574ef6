"""`lint`: what is wrong with pipeline files, against the checked-in contracts, without any server."""

from pathlib import Path
from typing import Annotated

import typer

from streams.cli.exits import Exit
from streams.cli.offline import contracts, counted
from streams.cli.output import JsonOption, Output, OutputOption, emit, say

Files = Annotated[
    list[Path], typer.Argument(help="Pipeline files, or folders of them.", metavar="FILES…", show_default=False)
]


def lint(paths: Files, output: OutputOption = Output.TEXT, json: JsonOption = False) -> None:
    """Check pipeline files and their tests, offline; print every problem as file:line:column: where: problem (hint)."""
    from streams import library
    from streams.cases.suite import examine

    output = Output.JSON if json else output

    known = contracts()
    looked = library.files(paths)
    made = library.load(known, paths)
    names = made.named(library.Origin.FILE)
    found = {*library.compile_all(made, known, names).problems}
    for spec in (*made.unplaced, *(made.specs[name] for name in names)):
        if spec.tests is not None:
            found |= {*examine(spec, known, made.specs, library.folder(spec, library.Origin.FILE)).problems}
    for problem in sorted(found):
        emit(output, problem.to_json(), str(problem))
    if found:
        say(f"millrace: {counted(len(found))} in {len({one.file for one in found})} of {len(looked)} files")
        raise typer.Exit(Exit.REFUSED)
    say(f"millrace: {len(looked)} file{'' if len(looked) == 1 else 's'}, no problems")
