"""Stacks that tests may break, and parts that stand still."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from infra.local.parts.table import BACKEND
from infra.local.running import RunningStack
from infra.local.stack import Stack


@contextmanager
def backend() -> Iterator[RunningStack]:
    """Kafka, schema registry, S3 and PostgreSQL in a home of their own, which is removed at the end."""
    home = Path(tempfile.mkdtemp(prefix="millrace-test-"))
    try:
        with Stack(home, BACKEND, preferred=False) as started:
            yield started
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def session_stack() -> Iterator[Path]:
    """Start the stack that all processes of a test run share, and yield its home."""
    with backend() as started:
        yield started.home


@contextmanager
def frozen(stack: RunningStack, part: str) -> Iterator[None]:
    """A part that answers nobody, and is not gone."""
    first = psutil.Process(stack.part(part).pid)
    family = [first, *first.children(recursive=True)]
    for one in family:
        one.suspend()
    try:
        yield
    finally:
        for one in family:
            one.resume()
