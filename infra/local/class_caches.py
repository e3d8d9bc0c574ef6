"""Class caches that shorten the start of the JVM parts, written once per machine by running each part once."""

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
"""A JVM writes its cache while it ends, and must not be killed before it is done."""

TRAINING = Part(
    name="class-caches",
    # At the lowest priority, because the stack is in use meanwhile.
    command=lambda _: ["nice", "-n", "19", sys.executable, "-m", "infra.local", "train"],
    environ=lambda _: dict(os.environ),
    ready=None,
    patience=600.0,
    aside=True,
)


def wanted(parts: Parts) -> bool:
    """Return whether this machine has no class caches for this version of Java yet."""
    return not parts.class_cache("kafka").parent.is_dir()


def train() -> bool:
    """Write the class caches if they are missing; False if another process is writing them."""
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
