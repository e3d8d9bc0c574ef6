"""The class caches that shorten the start of the JVM parts, written once per machine by running them once."""

import fcntl
import os
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from infra.local.installation.install import Parts, install
from infra.local.parts.part import Part
from infra.local.parts.table import BACKEND, select, table
from infra.local.stack import Stack

_DUMP_SECONDS = 120.0
"""A JVM writes its cache while it ends; until then it must not be killed."""

TRAINING = Part(
    name="class-caches",
    # The lowest priority: whoever started the stack is using it now.
    command=lambda _: ["nice", "-n", "19", sys.executable, "-m", "infra.local", "train"],
    environ=lambda _: dict(os.environ),
    ready=None,
    patience=600.0,
    aside=True,
)


def wanted(parts: Parts) -> bool:
    """Whether this machine's class caches for this Java are still to be written."""
    return not parts.class_cache("kafka").parent.is_dir()


def train() -> bool:
    """Write the class caches where they are missing; False when another process is at it."""
    parts = install()
    folder = parts.class_cache("kafka").parent
    with (parts.root / "aot.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if not folder.is_dir():
            _run_once(folder)
    return True


def _run_once(folder: Path) -> None:
    work = folder.with_suffix(".unfinished")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    home = Path(tempfile.mkdtemp(prefix="millrace-train-"))
    patient = [replace(part, grace=_DUMP_SECONDS) for part in select(table(), BACKEND)]
    try:
        with Stack(home, table=patient, preferred=False, training=work):
            pass
    finally:
        shutil.rmtree(home, ignore_errors=True)
    work.rename(folder)
