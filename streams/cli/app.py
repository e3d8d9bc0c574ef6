"""The table of commands, and what every one of them has in common."""

import sys
import traceback
from collections.abc import Sequence

import typer

from streams.cli import apply, catalogue, compile, data, deadletters, lint, runs, stack
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
        "compile",
        epilog=examples(
            "millrace compile face-blur",
            "millrace compile my-pipeline.yaml --mermaid",
            "millrace compile --strimzi > kafka.yaml",
            "millrace compile --asyncapi > asyncapi.json",
        ),
    )(compile.compile_)
    app.command(
        "apply",
        epilog=examples("millrace apply", "millrace apply pipelines/ --dry-run", "millrace apply pipelines/ --prune"),
    )(apply.apply)
    _online(app)
    app.command("schemas", context_settings=other, add_help_option=False)(stack.schemas)
    return app


def _online(app: typer.Typer) -> None:
    """The commands that ask a running system."""
    app.command("services", epilog=examples("millrace services", "millrace services face-detect --output json"))(
        catalogue.services
    )
    app.command("pipelines", epilog=examples("millrace pipelines", "millrace pipelines face-blur"))(catalogue.pipelines)
    app.command(
        "run",
        epilog=examples(
            "millrace run face-blur -i photo=@me.jpg -i strength=0.5 --follow",
            "millrace run image-convert -i image=@me.png -i format=webp --wait 30 --output json",
            'millrace run image-crop -i image=@me.png -i \'areas=[{"x":0,"y":0,"width":64,"height":64}]\'',
        ),
    )(runs.run)
    app.command("events", epilog=examples("millrace events RUN", "millrace events RUN --after 1042 --output json"))(
        runs.events
    )
    app.command(
        "result",
        epilog=examples("millrace result RUN", "millrace result RUN --wait 30", "millrace result RUN -o blurred.jpg"),
    )(runs.result)
    app.command("cancel", epilog=examples("millrace cancel RUN"))(runs.cancel)
    letters = typer.Typer(no_args_is_help=True, help="What could not be processed: list, show, send again.")
    letters.command("list", epilog=examples("millrace dead-letters list --last 5"))(deadletters.listing)
    letters.command(
        "show", epilog=examples("millrace dead-letters show 0-17", "millrace dead-letters show 0-17 --raw")
    )(deadletters.show)
    letters.command("resend", epilog=examples("millrace dead-letters resend 0-17 0-18"))(deadletters.resend)
    app.add_typer(letters, name="dead-letters")
    files = typer.Typer(no_args_is_help=True, help="Public data and model weights.")
    files.command("fetch", epilog=examples("millrace data fetch", "millrace data fetch models"))(data.fetch)
    app.add_typer(files, name="data")


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
    except Exception:  # noqa: BLE001  # the last resort: told with its place, and with a status of its own
        traceback.print_exc()
        print("millrace: this is a fault of the program; please report it with the lines above", file=sys.stderr)
        return Exit.FAULT
    return Exit.DONE
