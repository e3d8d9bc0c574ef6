"""The commands of the embedded stack and their exit statuses."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from infra.local import class_caches
from infra.local.errors import BadHome, LocalError, NotRunning
from infra.local.health import troubles
from infra.local.home import state
from infra.local.installation.install import install
from infra.local.processes.guard import die_with_parent
from infra.local.progress import say
from infra.local.running import RunningStack
from infra.local.up import up
from infra.local.view import as_json, as_table
from streams import homes
from streams.bootstrap import begin
from streams.settings import SettingError

_STOP_SECONDS = 90.0
_RESTART_SECONDS = 180.0
BAD_SETTING = 2
NOT_READY = 8
_STATUSES = """exit status:
  0    done as asked (up: stopped by Ctrl-C or `down`)
  1    an unexpected error
  2    wrong arguments, a setting or a home that cannot be used
  3    a tool is missing; the message says what to install
  4    the parts could not be fetched
  5    a stack runs in this home already
  6    no stack runs in this home
  7    a part did not come up; the message ends with its log
  8    status: the stack runs, and some part is not ready
  130  interrupted before everything was up
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return one of the exit statuses that `--help` lists."""
    begin()
    chosen = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = chosen.run
    try:
        return run(chosen)
    except LocalError as error:
        say(str(error))
        return error.exit_status
    except SettingError as error:
        say(str(error))
        return BAD_SETTING
    except KeyboardInterrupt:
        say("interrupted")
        return 128 + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.local",
        description="The whole of Millrace on this machine: Kafka, schema registry, S3, PostgreSQL and its own processes.",
        epilog=_STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, run: Callable[[argparse.Namespace], int], summary: str, *examples: str
    ) -> argparse.ArgumentParser:
        shown = "\n".join(["examples:", *(f"  {line}" for line in examples), "", ""]) if examples else ""
        parser_of_command = commands.add_parser(
            name,
            prog=f"millrace {name}" if examples else None,
            help=summary,
            description=summary,
            epilog=shown + _STATUSES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser_of_command.set_defaults(run=run)
        return parser_of_command

    starting = command(
        "up",
        _up,
        "start everything and serve until Ctrl-C",
        "millrace up",
        "millrace up --workers 2",
        "millrace up --home /tmp/other --parts kafka,registry",
    )
    starting.add_argument("--parts", metavar="A,B", help="only these parts, and what they need")
    starting.add_argument("--workers", type=_positive, default=1, metavar="N", help="worker processes (default 1)")
    starting.add_argument("--demo", action="store_true", help="send a photo through face-blur once everything is up")
    starting.add_argument("--with-parent", action="store_true", help="stop when the process that started this one ends")
    stopping = command("down", _down, "stop the stack of this home, and wait until it is gone", "millrace down")
    showing = command(
        "status", _status, "show the parts of the running stack", "millrace status", "millrace status --output json"
    )
    showing.add_argument("--output", choices=("text", "json"), default="text", help="json: one object a line, per part")
    again = command(
        "restart",
        _restart,
        "end parts and wait until each serves again",
        "millrace restart worker",
        "millrace restart worker flow gateway",
    )
    again.add_argument("parts", nargs="+", metavar="PART", help="as `status` names them")
    again.add_argument("--kill", action="store_true", help="end them at once")
    for each in (starting, stopping, showing, again):
        home = homes.DEFAULT if each is starting and "MILLRACE_HOME" not in os.environ else homes.find(os.environ)
        each.add_argument("--home", type=Path, default=home, help=f"folder of the stack's state (default {home})")
    command("install", _install, "fetch the parts into the cache of this machine, start nothing")
    command("train", _train, "write the class caches that shorten the start of the parts (`up` does it by itself)")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number, 1 or more, not {text!r}")
    return int(text)


def _up(chosen: argparse.Namespace) -> int:
    names = [name for name in chosen.parts.split(",") if name] if chosen.parts else None
    if chosen.with_parent:
        die_with_parent(os.getppid(), signal.SIGTERM)
    return up(chosen.home, names, workers=chosen.workers, demonstrate=chosen.demo)


def _down(chosen: argparse.Namespace) -> int:
    pid = state.owner(chosen.home)
    if not pid:
        raise NotRunning(f"no stack runs in {chosen.home.resolve()}")
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        pass  # it ended in the meantime
    except PermissionError as error:
        raise BadHome(chosen.home.resolve(), error) from error
    if not state.await_free(chosen.home, _STOP_SECONDS):
        say(
            f"the stack (pid {pid}) has not stopped after {_STOP_SECONDS:.0f} s; its logs are in {chosen.home / 'logs'}"
        )
        return 1
    say("stopped")
    return 0


def _status(chosen: argparse.Namespace) -> int:
    state = RunningStack(chosen.home).state
    sys.stdout.write(as_json(state) if chosen.output == "json" else as_table(state, chosen.home))
    for trouble in troubles(chosen.home):
        say(str(trouble))
    return 0 if state.ready else NOT_READY


def _restart(chosen: argparse.Namespace) -> int:
    running = RunningStack(chosen.home)
    for name in chosen.parts:
        running.part(name)  # report an unknown name before stopping anything
    for name in chosen.parts:
        running.restart(name, kill=chosen.kill, seconds=_RESTART_SECONDS)
        say(f"{name} serves again")
    return 0


def _install(_: argparse.Namespace) -> int:
    say(f"the parts are in {install().root}")
    return 0


def _train(_: argparse.Namespace) -> int:
    say("the class caches are written" if class_caches.train() else "another process writes the class caches already")
    return 0
