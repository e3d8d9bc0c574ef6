"""`lint`: check pipeline files against the checked-in contracts, without any server."""

from pathlib import Path
from typing import Annotated

import typer

from streams.cli.exits import Exit, Failed
from streams.cli.output import JsonOption, Output, OutputOption, counted, emit, problems, say
from streams.cli.settings import settings

Files = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Pipeline files, or folders of them; with --against optional, for the shipped ones.",
        metavar="[FILES…]",
        show_default=False,
    ),
]
Against = Annotated[
    str | None,
    typer.Option(
        "--against",
        help="A git revision, or a folder: list the pipelines that break by changes of the services' contracts since then.",
        metavar="REV",
        show_default=False,
    ),
]


def lint(
    paths: Files = None, against: Against = None, output: OutputOption = Output.TEXT, json: JsonOption = False
) -> None:
    """Check pipeline files and their tests, offline; print every problem as file:line:column: where: problem (hint)."""
    output = Output.JSON if json else output
    if against is not None:
        _against(paths or [], against, output)
        return
    if not paths:
        raise typer.BadParameter("name pipeline files, or folders of them")
    from streams.cli.pipelines.offline import contracts
    from streams.compile import library
    from streams.testing.cases.suite import examine

    known = contracts()
    looked = library.files(paths)
    loaded = library.load(known, paths)
    names = loaded.named(library.Origin.FILE)
    problems = {*library.compile_all(loaded, known, names).problems}
    for spec in (*loaded.unplaced, *(loaded.specs[name] for name in names)):
        if spec.tests is not None:
            problems |= {*examine(spec, known, loaded.specs, library.folder(spec, library.Origin.FILE)).problems}
    for problem in sorted(problems):
        emit(output, problem.to_json(), str(problem))
    if problems:
        say(
            f"millrace: {counted(len(problems))} in {len({mistake.file for mistake in problems})} of {len(looked)} files"
        )
        raise typer.Exit(Exit.REFUSED)
    say(f"millrace: {len(looked)} file{'' if len(looked) == 1 else 's'}, no problems")


def _against(paths: list[Path], revision: str, output: Output) -> None:
    from streams.cli.pipelines import revision as contracts_of
    from streams.compile import library
    from streams.compile.contract_impact import effects

    old, new = contracts_of.at(revision), contracts_of.here()
    configured = settings().pipelines
    loaded = library.load(new, paths or ([configured] if configured.is_dir() else []))
    if loaded.problems:
        problems(loaded.problems)
        raise Failed(Exit.REFUSED, counted(len(loaded.problems)))
    names = [*loaded.named(library.Origin.FILE), *loaded.named(library.Origin.SHIPPED)]
    affected = effects(loaded, names, old, new)
    for effect in affected:
        emit(output, effect.to_json(), str(effect))
    broken = [effect for effect in affected if effect.breaking]
    changed = sum(old[name] != new.get(name) for name in old)
    say(
        f"millrace: {changed} of {len(old)} contracts changed since {revision},"
        f" {len(broken) or 'no'} of {len(names)} pipelines break"
    )
    if broken:
        raise typer.Exit(Exit.REFUSED)
