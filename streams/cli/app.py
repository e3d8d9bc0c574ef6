"""The table of commands, and what every one of them has in common."""

import sys
import traceback
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer

from streams.cli.exits import Exit, Failed, table

DESCRIPTION = """An AI marketplace on Apache Kafka: services, pipelines of them, and their runs.

Results go to stdout (with --output json, one JSON object a line), everything else to stderr.
Where the system is, is read from MILLRACE_HOME (default .millrace) and the other MILLRACE_… settings."""


@dataclass(frozen=True)
class Command:
    """One command."""

    name: str
    function: str
    """Module and name below `streams.cli`; imported when the command is asked for, since that takes longer than most of them."""
    short: str
    examples: tuple[str, ...]

    def load(self) -> Callable[..., Any]:
        """The function itself."""
        module, _, name = self.function.rpartition(".")
        function: Callable[..., Any] = getattr(import_module(f"streams.cli.{module}"), name)
        return function


COMMANDS = (
    Command(
        "up",
        "operations.stack.up",
        "Start the whole system on this machine.",
        ("millrace up", "millrace up --workers 2", "millrace up --home /tmp/other --parts kafka,registry"),
    ),
    Command("down", "operations.stack.down", "Stop the system of this home.", ("millrace down",)),
    Command(
        "status",
        "operations.stack.status",
        "Show its parts, and how to open each.",
        ("millrace status", "millrace status --output json"),
    ),
    Command(
        "restart",
        "operations.stack.restart",
        "Start parts of it again.",
        ("millrace restart worker", "millrace restart worker flow gateway"),
    ),
    Command(
        "lint",
        "pipelines.lint.lint",
        "Check pipeline files, offline.",
        (
            "millrace lint my-pipeline.yaml",
            "millrace lint pipelines/ --json",
            "millrace lint pipelines/ --against main",
        ),
    ),
    Command(
        "test",
        "pipelines.test.run_tests",
        "Run the tests in pipeline files, offline.",
        ("millrace test", "millrace test pipelines/ -k women", "millrace test mine.yaml --seed 7 --json"),
    ),
    Command(
        "import",
        "pipelines.importing.import_",
        "Turn a pipeline of the older format into YAML.",
        (
            "millrace import old/blur.json",
            "millrace import old/blur.json -o pipelines/blur.yaml",
            "millrace import old/blur.json --service area-blur=image-blur --json",
        ),
    ),
    Command(
        "compile",
        "pipelines.compile.compile_",
        "Compile to topics, Strimzi, Mermaid, AsyncAPI.",
        (
            "millrace compile face-blur",
            "millrace compile my-pipeline.yaml --mermaid",
            "millrace compile --strimzi > kafka.yaml",
            "millrace compile --asyncapi > asyncapi.json",
        ),
    ),
    Command(
        "apply",
        "pipelines.apply.apply",
        "Bring topics, schemas and pipelines in step.",
        (
            "millrace apply",
            "millrace apply pipelines/ --dry-run",
            "millrace apply pipelines/ --prune --yes",
            "millrace apply pipelines/ --canary 10%",
            "millrace apply pipelines/ --shadow",
        ),
    ),
    Command(
        "rollback",
        "pipelines.versions.rollback",
        "Go back to an earlier version.",
        ("millrace rollback face-blur", "millrace rollback face-blur 4f2a91"),
    ),
    Command(
        "forget",
        "pipelines.versions.forget",
        "Remove versions that no run needs.",
        ("millrace forget face-blur", "millrace forget face-blur 4f2a91"),
    ),
    Command(
        "services",
        "pipelines.catalogue.services",
        "List the live services.",
        ("millrace services", "millrace services face-detect --output json"),
    ),
    Command(
        "pipelines",
        "pipelines.catalogue.pipelines",
        "List the pipelines.",
        (
            "millrace pipelines",
            "millrace pipelines face-blur",
            "millrace pipelines face-blur --versions",
            "millrace pipelines face-blur --shadow",
        ),
    ),
    Command(
        "delete",
        "pipelines.delete.delete",
        "Take one pipeline out of use.",
        ("millrace delete my-pipeline", "millrace delete my-pipeline --yes"),
    ),
    Command(
        "runs",
        "runs.history.listing",
        "List runs.",
        (
            "millrace runs",
            "millrace runs --pipeline face-blur --status failed --since 2h",
            "millrace runs --since 2026-11-21T10:00 --last 500 --output json",
        ),
    ),
    Command(
        "run",
        "runs.run.run",
        "Run a pipeline or a service.",
        (
            "millrace run face-blur -i photo=@me.jpg -i strength=0.5 --follow",
            "millrace run image-convert -i image=@me.png -i format=webp --wait 30 --output json",
            """millrace run image-crop -i image=@me.png -i 'areas=[{"x":0,"y":0,"width":64,"height":64}]'""",
        ),
    ),
    Command(
        "events",
        "runs.run.events",
        "Follow the events of a run.",
        ("millrace events RUN", "millrace events RUN --after 1042 --output json"),
    ),
    Command(
        "result",
        "runs.run.result",
        "Show or download the result of a run.",
        ("millrace result RUN", "millrace result RUN --wait 30", "millrace result RUN -o blurred.jpg"),
    ),
    Command("explain", "runs.explain.explain", "Say what a run waits for, and why.", ("millrace explain RUN",)),
    Command(
        "replay",
        "runs.explain.replay",
        "Run it again, from the start or from a node on.",
        (
            "millrace replay RUN",
            "millrace replay RUN --from blur --follow",
            "millrace replay RUN --set strength=0.4",
            "millrace replay RUN --set 'detect.faces[0].area.x=10'",
        ),
    ),
    Command("cancel", "runs.run.cancel", "Cancel a run.", ("millrace cancel RUN",)),
    Command("bench", "operations.bench.bench", "Measure this machine.", ("millrace bench", "millrace bench hop")),
    Command(
        "schemas",
        "operations.stack.schemas",
        "Write the contracts of the services.",
        ("millrace schemas", "millrace schemas --check"),
    ),
)

GROUPS = {
    "dead-letters": (
        "What could not be processed: list, show, resend.",
        (
            Command(
                "list",
                "runs.dead_letters.listing",
                "List dead letters.",
                ("millrace dead-letters list --last 5", "millrace dead-letters list --consumer face-detect --since 6h"),
            ),
            Command(
                "show",
                "runs.dead_letters.show",
                "Show one dead letter.",
                ("millrace dead-letters show 0-17", "millrace dead-letters show 0-17 --raw > record"),
            ),
            Command(
                "resend",
                "runs.dead_letters.resend",
                "Send them again.",
                (
                    "millrace dead-letters resend 0-17 0-18",
                    "millrace dead-letters resend --consumer image-blur --since 2h",
                    "millrace dead-letters resend --all --dry-run",
                ),
            ),
        ),
    ),
    "predictions": (
        "What models said: list, show, correct.",
        (
            Command(
                "list",
                "runs.predictions.listing",
                "List predictions.",
                (
                    "millrace predictions list --service digit-recognition --below 0.8",
                    "millrace predictions list --run RUN --output json",
                ),
            ),
            Command("show", "runs.predictions.show", "Show one prediction.", ("millrace predictions show ID",)),
            Command(
                "drift",
                "runs.predictions.drift",
                "Show what models meet beside what they learned from.",
                ("millrace predictions drift", "millrace predictions drift --service digit-recognition"),
            ),
            Command(
                "correct",
                "runs.predictions.correct",
                "Say what it should have been.",
                ("millrace predictions correct ID 7", "millrace predictions correct ID neutrophil"),
            ),
        ),
    ),
    "callbacks": (
        "What receivers of callbacks need.",
        (
            Command(
                "secret", "runs.callbacks.secret", "Print what they are signed with.", ("millrace callbacks secret",)
            ),
        ),
    ),
    "notices": (
        "Who was told of ended runs: list, resend.",
        (
            Command(
                "list",
                "runs.notices.listing",
                "List notices.",
                (
                    "millrace notices list",
                    "millrace notices list --state 'given up'",
                    "millrace notices list --run RUN",
                ),
            ),
            Command("resend", "runs.notices.resend", "Try one again.", ("millrace notices resend ID",)),
        ),
    ),
    "models": (
        "Versions of models, and which of them serves.",
        (
            Command(
                "list",
                "operations.models.listing",
                "List registered versions.",
                ("millrace models list digit-recognition",),
            ),
            Command(
                "show", "operations.models.show", "Show one version.", ("millrace models show digit-recognition 2",)
            ),
            Command(
                "use",
                "operations.models.use",
                "Let another version serve.",
                ("millrace models use digit-recognition 1", "millrace models use digit-recognition shipped"),
            ),
            Command(
                "retrain",
                "operations.retrain.retrain",
                "Order what a file in git names.",
                ("millrace models retrain models.yaml",),
            ),
        ),
    ),
    "data": (
        "Public data and model weights.",
        (
            Command(
                "fetch",
                "operations.data.fetch",
                "Bring files of the catalogue.",
                ("millrace data fetch", "millrace data fetch models"),
            ),
            Command("keep", "operations.data.keep", "Put a dataset version into S3.", ("millrace data keep mnist",)),
            Command(
                "corrections",
                "operations.data.corrections",
                "Make a dataset version with people's corrections.",
                ("millrace data corrections digit-recognition",),
            ),
            Command(
                "versions",
                "operations.data.versions",
                "List dataset versions in S3.",
                ("millrace data versions mnist",),
            ),
        ),
    ),
    "indicators": (
        "Socio-economic indicators, which loan-appetence reads live.",
        (
            Command(
                "load",
                "operations.indicators.load",
                "Bring those of a file.",
                ("millrace indicators load", "millrace indicators load bank-additional-full.csv"),
            ),
            Command("show", "operations.indicators.show", "List them by month.", ("millrace indicators show",)),
            Command(
                "set",
                "operations.indicators.set_",
                "Change those of a month.",
                (
                    "millrace indicators set 2010-11 --euribor3m 1.042",
                    (
                        "millrace indicators set 2010-12 --emp-var-rate -1.1 --cons-price-idx 94.9 --cons-conf-idx -49.5 "
                        "--euribor3m 1.02 --nr-employed 4963.6"
                    ),
                ),
            ),
        ),
    ),
}


def build(arguments: Container[str] | None = None) -> typer.Typer:
    """The whole command line; of commands whose name is not among the arguments only what help shows of them."""
    app = _typer(DESCRIPTION, f"\b\nExit status:\n{table()}")

    def asked(name: str) -> bool:
        return arguments is None or name in arguments

    for command in COMMANDS:
        _add(app, command, whole=asked(command.name))
    for name, (about, commands) in GROUPS.items():
        group = _typer(about)
        for command in commands:
            _add(group, command, whole=asked(name) and asked(command.name))
        app.add_typer(group, name=name)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status."""
    command = typer.main.get_command(build(set(arguments)))
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


def _add(app: typer.Typer, command: Command, *, whole: bool) -> None:
    # \b keeps the line breaks of what follows.
    end = "\n".join(["\b", "Examples:", *(f"  {line}" for line in command.examples)])
    app.command(command.name, short_help=command.short, epilog=end)(command.load() if whole else _nothing)


def _nothing() -> None:
    """Stands for a command that was not asked for."""
