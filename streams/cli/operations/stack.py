"""`up`, `down`, `status` and `restart` of the embedded stack, which is a separate program; and `schemas`."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.exits import Exit, Failed
from streams.cli.output import Output, OutputOption

Home = Annotated[
    Path | None,
    typer.Option(
        "--home", metavar="FOLDER", help="Its folder; by default MILLRACE_HOME, or that of the running stack."
    ),
]
Parts = Annotated[str, typer.Option("--parts", metavar="A,B", help="Only these parts, and what they need.")]
Workers = Annotated[str, typer.Option("--workers", metavar="N", help="Worker processes.")]
Demo = Annotated[bool, typer.Option("--demo", help="Send a photo through face-blur once everything is up.")]
Names = Annotated[list[str], typer.Argument(help="Parts, as `millrace status` names them.", metavar="PART…")]
Kill = Annotated[bool, typer.Option("--kill", help="Kill them, without letting them finish their work.")]
Check = Annotated[bool, typer.Option("--check", help="Change nothing; list the files that are out of date.")]


def up(parts: Parts = "", workers: Workers = "1", demo: Demo = False, home: Home = None) -> None:
    """Start the whole system on this machine (Kafka, schema registry, S3, PostgreSQL, workers, gateway); serve until Ctrl-C."""
    chosen = [*(["--parts", parts] if parts else []), "--workers", workers, *(["--demo"] if demo else [])]
    _become("infra.local", ["up", *chosen, *_home(home)])


def down(home: Home = None) -> None:
    """Stop the system that `up` started, and wait until it has ended."""
    _become("infra.local", ["down", *_home(home)])


def status(home: Home = None, output: OutputOption = Output.TEXT) -> None:
    """Show each part of the running system: its state, port, process and restarts, and the command that opens it."""
    _become("infra.local", ["status", "--output", output.value, *_home(home)])


def restart(names: Names, kill: Kill = False, home: Home = None) -> None:
    """Stop parts of the running system and wait until each serves again; a worker finishes its tasks first."""
    _become("infra.local", ["restart", *names, *(["--kill"] if kill else []), *_home(home)])


def schemas(check: Check = False) -> None:
    """Write the contract of every service to schemas/avro/services."""
    _become("agents.contracts", ["--check"] if check else [])


def _home(home: Path | None) -> list[str]:
    return [] if home is None else ["--home", str(home)]


def _become(module: str, arguments: list[str]) -> None:
    """Replace this process by the other program, so that it gets signals and its exit status counts."""
    package = module.partition(".")[0]
    if find_spec(package) is None:
        raise Failed(Exit.USAGE, f"this installation has no package {package!r}, which this command needs")
    sys.stdout.flush()
    sys.stderr.flush()
    # -P: a folder of the same name in the working folder must not be imported instead of the package.
    os.execv(sys.executable, [sys.executable, "-P", "-m", module, *arguments])
