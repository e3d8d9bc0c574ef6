"""What all processes of a test run share: the first that needs it asks for it, pytest's own process starts and stops it.

With `pytest -n 4` four processes run tests, and a fifth, the controller, hands the tests out. A stack or a whole system costs too
much to have one in each process. A fixture therefore enters `shared(config, "tests.stacks:session_stack")`, which names a context
manager that yields a home; the controller enters it when the first process asks, and leaves it after the last test.
Without `-n` the one process does both.
"""

import fcntl
import importlib
import shutil
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

_PATIENCE_SECONDS = 240.0
_POLL_SECONDS = 0.1

Resource = Callable[[], AbstractContextManager[Path]]


class Keeper:
    """Start what the processes ask for, each resource in a thread of its own, and stop all of it at the end."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="millrace-shared-"))
        self._over = threading.Event()
        self._threads: dict[str, threading.Thread] = {}
        self._watcher = threading.Thread(target=self._watch, name="shared-resources", daemon=True)
        self._watcher.start()

    def stop(self) -> list[str]:
        """Stop everything that was started. Return the traceback of each resource that failed to start or stop."""
        self._over.set()
        self._watcher.join()
        for thread in self._threads.values():
            thread.join()
        failures = [path.read_text() for path in sorted(self.folder.glob("*.failed"))]
        shutil.rmtree(self.folder, ignore_errors=True)
        return failures

    def _watch(self) -> None:
        while not self._over.wait(_POLL_SECONDS):
            for request in self.folder.glob("*.wanted"):
                name = request.stem
                if name not in self._threads:
                    # Not a daemon thread: an interrupted run must not leave processes behind either.
                    self._threads[name] = threading.Thread(target=self._keep, args=(name,), name=f"shared-{name}")
                    self._threads[name].start()

    def _keep(self, name: str) -> None:
        try:
            with _resource(name)() as home:
                _write(self.folder / f"{name}.ready", str(home))
                self._over.wait()
        except BaseException:  # noqa: BLE001  # whatever it is, the processes that wait must learn of it
            _write(self.folder / f"{name}.failed", traceback.format_exc())


@contextmanager
def shared(config: pytest.Config, name: str) -> Iterator[Path]:
    """Yield the home of a resource that all processes of this run share.

    `name` is `module:function` of a context manager that yields the home. Fails the test when it cannot be started.
    """
    if (folder := shared_folder(config)) is not None:
        yield _await(folder, name)
        return
    with _resource(name)() as home:
        yield home


def shared_folder(config: pytest.Config) -> Path | None:
    """Return the folder in which the processes of this run meet. None where one process runs all tests."""
    folder = getattr(config, "workerinput", {}).get("shared")
    return None if folder is None else Path(folder)


@contextmanager
def turn(folder: Path, group: str, *, alone: bool) -> Iterator[None]:
    """Hold a test's place among those of its group: many at a time, or one with no other beside it.

    A test that waits to be alone holds the gate, so that no further one begins before it.
    """
    with (folder / f"{group}.gate").open("a") as gate, (folder / f"{group}.turn").open("a") as lock:
        fcntl.flock(gate, fcntl.LOCK_EX)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        finally:
            fcntl.flock(gate, fcntl.LOCK_UN)
        try:
            yield
        finally:
            # Explicitly: a forked child that still lives has the file open too, and closing ours would not let go.
            fcntl.flock(lock, fcntl.LOCK_UN)


def _await(folder: Path, name: str) -> Path:
    (folder / f"{name}.wanted").touch()
    ready, failed = folder / f"{name}.ready", folder / f"{name}.failed"
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not ready.exists():
        if failed.exists():
            pytest.fail(f"{name} could not be started:\n{failed.read_text()}", pytrace=False)
        assert time.monotonic() < deadline, f"{name} was not started within {_PATIENCE_SECONDS:.0f} s"
        time.sleep(_POLL_SECONDS)
    return Path(ready.read_text())


def _resource(name: str) -> Resource:
    module, _, function = name.partition(":")
    resource: Resource = getattr(importlib.import_module(module), function)
    return resource


def _write(path: Path, text: str) -> None:
    """Write a file that is never seen half written."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text)
    fresh.rename(path)
