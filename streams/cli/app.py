"""The table of commands, and what every one of them has in common."""

import sys
from collections.abc import Sequence

import typer

from streams.cli import apply, lint, stack
from streams.cli.exits import Exit, Failed, table

DESCRIPTION = """An AI marketplace on Apache Kafka: services, pipelines of them, and their runs.

Results go to stdout (with --output json, one JSON object a line), everything else to stderr.
Where the system is, is read from MILLRACE_HOME (default .millrace) and the other MILLRACE_… settings."""


def examples(*lines: str) -> str:
    """The end of a command's help, whose line breaks are kept."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def build() -> typer.Typer:
    """The whole command line."""
    app = typer.Typer(
        name="millrace",
        help=DESCRIPTION,
        epilog=f"\b\nExit status:\n{table()}",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,  # plain help: quicker to start, and the same in a pipe
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    other = stack.PASSED_ON
    app.command("up", context_settings=other, add_help_option=False)(stack.up)
    app.command("down", context_settings=other, add_help_option=False)(stack.down)
    app.command("status", context_settings=other, add_help_option=False)(stack.status)
    app.command("lint", epilog=examples("millrace lint my-pipeline.yaml", "millrace lint pipelines/ --output json"))(
        lint.lint
    )
    app.command(
        "apply",
        epilog=examples("millrace apply", "millrace apply pipelines/ --dry-run", "millrace apply pipelines/ --prune"),
    )(apply.apply)
    app.command("schemas", context_settings=other, add_help_option=False)(stack.schemas)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status."""
    command = typer.main.get_command(build())
    try:
        command.main(args=list(arguments), prog_name="millrace")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else Exit.DONE
    except Failed as failed:
        print(f"millrace: {failed}", file=sys.stderr)
        return failed.exit
    return Exit.DONE
