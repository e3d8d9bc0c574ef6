"""`up`, `down` and `status`: the embedded stack, which has a program of its own."""

import os
import sys
from importlib.util import find_spec

import typer

from streams.cli.exits import Exit, Failed

PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""Arguments are the other program's, `--help` too."""


def up(context: typer.Context) -> None:
    """Start the whole system on this machine: Kafka, schema registry, S3, PostgreSQL, workers and gateway."""
    _become("infra.local", ["up", *context.args])


def down(context: typer.Context) -> None:
    """Stop the system that `up` started, wherever it runs."""
    _become("infra.local", ["down", *context.args])


def status(context: typer.Context) -> None:
    """Show each part of the running system: its state, port, process and restarts."""
    _become("infra.local", ["status", *context.args])


def schemas(context: typer.Context) -> None:
    """Write the contract of every service to schemas/avro/services; with --check, only say what is out of step."""
    _become("agents.contracts", context.args)


def _become(module: str, arguments: list[str]) -> None:
    """This process becomes the other program, so that signals and the exit status are its own."""
    package = module.partition(".")[0]
    if find_spec(package) is None:
        raise Failed(Exit.USAGE, f"this installation has no package {package!r}, which this command needs")
    sys.stdout.flush()
    sys.stderr.flush()
    # -P: a folder of the same name where one stands must not take the package's place.
    os.execv(sys.executable, [sys.executable, "-P", "-m", module, *arguments])
