"""`test`: the tests in pipeline files, in memory, without any server."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.exits import Exit, Failed
from streams.cli.output import JsonOption, Output, OutputOption, emit, problems, say
from streams.cli.pipelines.offline import contracts, counted
from streams.cli.settings import settings

if TYPE_CHECKING:
    from schemas.contracts import Contract
    from streams.testing.cases.model import Case
    from streams.testing.cases.suite import Outcome, Suite

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
    from streams.testing.cases.suite import run

    output = Output.JSON if json else output
    first = secrets.randbelow(1_000_000) if seed is None else seed
    suites = _suites(paths, contracts())
    mistakes = sorted({problem for suite in suites for problem in suite.problems})
    if mistakes:
        problems(mistakes)
        raise Failed(Exit.REFUSED, f"{counted(len(mistakes))}; nothing was run")
    chosen = [(suite, ready) for suite in suites for ready in suite.ready if _meant(only, suite, ready.case)]
    if only and not chosen:
        raise Failed(Exit.UNKNOWN, f"no test has {only!r} in its pipeline's name or its own")
    failed = 0
    for suite, ready in chosen:
        outcome = run(suite, ready, first, storms)
        failed += not outcome.passed
        emit(output, _row(suite, outcome), lambda suite=suite, outcome=outcome: _outcome_text(suite, outcome))  # type: ignore[misc]
    tests = f"{len(chosen)} test{'' if len(chosen) == 1 else 's'}"
    pipelines = len({suite.spec.name for suite, _ in chosen})
    say(
        f"millrace: {tests} of {pipelines} pipeline{'' if pipelines == 1 else 's'}, {failed or 'none'} failed; --seed {first} is the same weather"
    )
    if failed:
        raise typer.Exit(Exit.REFUSED)


def _suites(paths: list[Path] | None, known: "Mapping[str, Contract]") -> "list[Suite]":
    """Load the tests of the selected files, each with its file's problems. Raises Failed if a file cannot be read."""
    from streams.compile import library
    from streams.testing.cases.suite import examine

    configured = settings().pipelines
    meant = paths or ([configured] if configured.is_dir() else [])
    loaded = library.load(known, meant)
    names = [*loaded.named(library.Origin.FILE), *([] if paths else loaded.named(library.Origin.SHIPPED))]
    unplaced = [
        examine(spec, known, loaded.specs, library.folder(spec, library.Origin.FILE)) for spec in loaded.unplaced
    ]
    wrong = sorted({*loaded.problems, *(problem for suite in unplaced for problem in suite.problems)})
    if wrong:
        problems(wrong)
        raise Failed(Exit.REFUSED, f"{counted(len(wrong))}; nothing was run")
    specs = [(loaded.specs[name], loaded.origins[name]) for name in names]
    return [examine(spec, known, loaded.specs, library.folder(spec, origin)) for spec, origin in specs]


def _meant(only: str, suite: "Suite", case: "Case") -> bool:
    return only.lower() in f"{suite.spec.name}: {case.name}".lower()


def _row(suite: "Suite", outcome: "Outcome") -> dict[str, object]:
    line, column = suite.spec.source.marks.get(outcome.case.place, (0, 0))
    return {
        "pipeline": suite.spec.name,
        "test": outcome.case.name,
        "file": suite.spec.source.file,
        "line": line,
        "column": column,
        "passed": outcome.passed,
        "problems": [problem.to_json() for problem in outcome.problems],
        "weathers": outcome.weathers,
        "seed": outcome.seed,
        "milliseconds": round(outcome.seconds * 1000, 3),
    }


def _outcome_text(suite: "Suite", outcome: "Outcome") -> str:
    word = "ok  " if outcome.passed else "FAIL"
    head = f"{word} {suite.spec.name}: {outcome.case.name} ({outcome.seconds * 1000:.0f} ms)"
    weather = [] if outcome.seed is None else [f"     in bad weather only: --storms 1 --seed {outcome.seed}"]
    return "\n".join((head, *(f"     {problem}" for problem in outcome.problems), *weather))
