"""`bench`: the benchmarks of a checkout, each a separate program that prints what it compares."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.exits import Exit, Failed
from streams.cli.output import say

FOLDER = Path("tests", "benchmarks")
PREFIX = "bench_"

Name = Annotated[str | None, typer.Argument(help="One benchmark; without it, all of them one after another.")]
Count = Annotated[str | None, typer.Argument(help="Number of repetitions; each benchmark has its own default.")]


def bench(name: Name = None, count: Count = None) -> None:
    """Measure this machine against bare loops in the same run; figures and ratios are printed."""
    known = {path.stem.removeprefix(PREFIX): path.stem for path in sorted(FOLDER.glob(f"{PREFIX}*.py"))}
    if not known:
        raise Failed(Exit.USAGE, f"the benchmarks are part of a checkout: there is no {FOLDER} here")
    if name is not None and name not in known:
        raise Failed(Exit.UNKNOWN, f"there is no benchmark {name!r}; there is {', '.join(known)}")
    failed = []
    for benchmark in known if name is None else [name]:
        say(f"millrace: {benchmark}")
        command = [sys.executable, "-m", f"tests.benchmarks.{known[benchmark]}", *([count] if count else [])]
        if subprocess.run(command, check=False).returncode:
            failed.append(benchmark)
    if failed:
        raise Failed(Exit.REFUSED, f"did not end well: {', '.join(failed)}")
