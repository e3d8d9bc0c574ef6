"""`test`: the tests in pipeline files, in memory, without any server."""

import secrets
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.exits import Exit, Failed
from streams.cli.output import JsonOption, Output, OutputOption, counted, emit, problems, say
from streams.cli.settings import settings
from streams.errors import Problem

Files = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Pipeline files, or folders of them; without any, the shipped ones and those of MILLRACE_PIPELINES.",
        metavar="[FILES…]",
        show_default=False,
    ),
]
Filter = Annotated[
    str, typer.Option("-k", help="Only tests with this text in their name or their pipeline's.", metavar="TEXT")
]
Storms = Annotated[int, typer.Option("--storms", min=0, max=1000, help="In how many bad weathers each test runs too.")]
Seed = Annotated[int | None, typer.Option("--seed", help="The first bad weather; without it another one each time.")]


def run_tests(
    paths: Files = None,
    only: Filter = "",
    storms: Storms = 4,
    seed: Seed = None,
    output: OutputOption = Output.TEXT,
    json: JsonOption = False,
) -> None:
    """Run the tests in pipeline files, in memory: as production would, also with repetition, reordering and crashes."""
    from streams.cli.pipelines.offline import contracts
    from streams.compile import library
    from streams.testing.cases.suite import examine, run

    output = Output.JSON if json else output
    first = secrets.randbelow(1_000_000) if seed is None else seed
    known, configured = contracts(), settings().pipelines
    loaded = library.load(known, paths or ([configured] if configured.is_dir() else []))
    unplaced = [
        examine(spec, known, loaded.specs, library.folder(spec, library.Origin.FILE)) for spec in loaded.unplaced
    ]
    _refuse({*loaded.problems, *(problem for suite in unplaced for problem in suite.problems)})
    names = [*loaded.named(library.Origin.FILE), *([] if paths else loaded.named(library.Origin.SHIPPED))]
    specs = [(loaded.specs[name], loaded.origins[name]) for name in names]
    suites = [examine(spec, known, loaded.specs, library.folder(spec, origin)) for spec, origin in specs]
    _refuse({problem for suite in suites for problem in suite.problems})
    chosen = [
        (suite, ready)
        for suite in suites
        for ready in suite.ready
        if only.lower() in f"{suite.spec.name}: {ready.case.name}".lower()
    ]
    if only and not chosen:
        raise Failed(Exit.UNKNOWN, f"no test has {only!r} in its pipeline's name or its own")
    failed = 0
    for suite, ready in chosen:
        outcome = run(suite, ready, first, storms)
        failed += not outcome.passed
        emit(output, outcome.to_json(), str(outcome))
    tests = f"{len(chosen)} test{'' if len(chosen) == 1 else 's'}"
    pipelines = len({suite.spec.name for suite, _ in chosen})
    say(
        f"millrace: {tests} of {pipelines} pipeline{'' if pipelines == 1 else 's'}, {failed or 'none'} failed; --seed {first} is the same weather"
    )
    if failed:
        raise typer.Exit(Exit.REFUSED)


def _refuse(mistakes: Collection[Problem]) -> None:
    """Raise Failed after printing every problem; do nothing when there are none."""
    if mistakes:
        problems(sorted(mistakes))
        raise Failed(Exit.REFUSED, f"{counted(len(mistakes))}; nothing was run")
