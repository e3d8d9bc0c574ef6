"""The `millrace` command as a user types it."""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from streams.cli.app import run

ROOT = Path(__file__).parents[2]
_KEPT = ("MILLRACE_DATA",)
SECONDS = 120.0


@dataclass(frozen=True)
class CommandResult:
    """What a command said, and how it ended."""

    status: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Its results, from `--output json`."""
        return [json.loads(line) for line in self.out.splitlines()]


def command(*arguments: str) -> list[str]:
    """How the command is started."""
    return [sys.executable, "-m", "streams.cli", *arguments]


def environ(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Its environment: that of the tests without their settings, and with this home."""
    others = {key: value for key, value in os.environ.items() if not key.startswith("MILLRACE_") or key in _KEPT}
    return {**others, "MILLRACE_HOME": str(home), **(more or {})}


def millrace(
    *arguments: str, home: Path, more: Mapping[str, str] | None = None, given: bytes = b"", cwd: Path = ROOT
) -> CommandResult:
    """Run it to its end."""
    ended = subprocess.run(
        command(*arguments), cwd=cwd, env=environ(home, more), input=given, capture_output=True, timeout=SECONDS
    )
    return CommandResult(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def in_process(*arguments: str, home: Path, more: Mapping[str, str] | None = None) -> CommandResult:
    """Run a command that needs no server in this process, which takes a tenth of the time.

    It proves as much where only the words and the status count. Signals, pipes, stdin and folders need a process.
    """
    out, err = io.StringIO(), io.StringIO()
    settings = mock.patch.dict(os.environ, environ(home, more), clear=True)
    with settings, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run(arguments)
    return CommandResult(int(status), out.getvalue(), err.getvalue())
