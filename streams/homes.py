"""Finds the home of the local stack that a command is for, from other folders and other shells too."""

import contextlib
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

DEFAULT = Path(".millrace")
_STATE = "stack.json"
"""A file in the home of a running stack."""


def find(environ: Mapping[str, str]) -> Path:
    """Return `MILLRACE_HOME`, else the home of a running stack: here, in a folder above, or the only one of this user; else `.millrace`."""
    if "MILLRACE_HOME" in environ:
        return Path(environ["MILLRACE_HOME"])
    with contextlib.suppress(OSError):
        for folder in (Path(), *Path.cwd().parents):
            if (folder / DEFAULT / _STATE).exists():
                return folder / DEFAULT
        running = _running(environ)
        if len(running) == 1:
            return running[0]
    return DEFAULT


def note(home: Path, environ: Mapping[str, str]) -> Path:
    """Record for other shells that a stack runs in this home; return the file to be removed when it has ended."""
    folder = _folder(environ)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    file.write_bytes(os.fsencode(home))
    return file


def _running(environ: Mapping[str, str]) -> list[Path]:
    try:
        homes = [Path(os.fsdecode(file.read_bytes())) for file in sorted(_folder(environ).iterdir())]
    except OSError:
        return []
    return [home for home in homes if (home / _STATE).exists()]


def _folder(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_STATE_HOME")
    return (
        (Path(base) if base else Path(environ.get("HOME", "/nonexistent")) / ".local" / "state")
        / "millrace"
        / "running"
    )
