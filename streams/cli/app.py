"""The command line built from the table of commands, and what all commands have in common."""

import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import typer

from streams.cli.command import Command, Group, Unavailable
from streams.cli.commands import COMMANDS, GROUPS
from streams.cli.exits import Exit, Failed, table

DESCRIPTION = """An AI marketplace on Apache Kafka: services, pipelines of them, and their runs.

Results go to stdout (with --output json, one JSON object a line), everything else to stderr.
Where the system is, is read from MILLRACE_HOME (default .millrace) and the other MILLRACE_… settings."""


def build(arguments: Sequence[str] | None = None) -> typer.Typer:
    """Build the command line for these arguments; None builds all of it.

    Functions are imported only for the command that the arguments name, and the packages of extensions only for help and for
    names that are not commands of `millrace` itself.
    """
    app = _typer(DESCRIPTION, f"\b\nExit status:\n{table()}")

    def asked(name: str) -> bool:
        return arguments is None or name in arguments

    for command in COMMANDS:
        _add(app, command, command.load() if asked(command.name) else _nothing)
    for group in GROUPS:
        _add_group(app, group, Command.load, asked)
    if not _built_in(arguments):
        _add_extensions(app, asked)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status."""
    try:
        typer.main.get_command(build(arguments)).main(args=list(arguments), prog_name="millrace")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else Exit.DONE
    except Failed as failed:
        print(f"millrace: {failed}", file=sys.stderr)
        return failed.exit
    except Exception:  # noqa: BLE001  # the last resort: reported with its place, and with a status of its own
        traceback.print_exc()
        print("millrace: this is a fault of the program; please report it with the lines above", file=sys.stderr)
        return Exit.FAULT
    return Exit.DONE


def _built_in(arguments: Sequence[str] | None) -> bool:
    names = {command.name for command in COMMANDS} | {group.name for group in GROUPS}
    words = [word for word in arguments or () if not word.startswith("-")]
    return bool(words) and words[0] in names


def _typer(about: str, end: str | None = None) -> typer.Typer:
    return typer.Typer(
        name="millrace",
        help=about,
        epilog=end,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,  # plain help: quicker to start, and the same in a pipe
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _add_extensions(app: typer.Typer, asked: Callable[[str], bool]) -> None:
    from streams.cli import extensions  # finding entry points takes longer than most commands need to start

    for group in extensions.groups():
        if isinstance(group, Group):
            _add_group(app, group, extensions.function, asked)
        else:
            _add_unavailable(app, group)


def _add_group(
    app: typer.Typer,
    group: Group,
    load: Callable[[Command], Callable[..., Any] | Unavailable],
    asked: Callable[[str], bool],
) -> None:
    commands = _typer(group.short)
    for command in group.commands:
        function = load(command) if asked(group.name) and asked(command.name) else _nothing
        if isinstance(function, Unavailable):
            _add_unavailable(commands, function)
        else:
            _add(commands, command, function)
    app.add_typer(commands, name=group.name)


def _add(app: typer.Typer, command: Command, function: Callable[..., Any]) -> None:
    # \b keeps the line breaks of what follows.
    end = "\n".join(["\b", "Examples:", *(f"  {line}" for line in command.examples)])
    app.command(command.name, short_help=command.short, epilog=end)(function)


def _add_unavailable(app: typer.Typer, command: Unavailable) -> None:
    anything = {"allow_extra_args": True, "ignore_unknown_options": True}
    app.command(command.name, short_help="(unavailable)", help=command.error, context_settings=anything)(command.fail)


def _nothing() -> None:
    """Do nothing, in place of a command that was not asked for."""
