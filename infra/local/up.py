"""The command `up`: a stack in the foreground, from its start to Ctrl-C."""

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from infra.local import class_caches, demo
from infra.local.home import clients, private
from infra.local.home.secrets import api_key
from infra.local.installation.install import install
from infra.local.parts import table
from infra.local.progress import say
from infra.local.stack import Stack
from streams import homes

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def up(home: Path, names: Sequence[str] | None, *, workers: int, demonstrate: bool) -> int:
    """Start the parts, serve until asked to stop, stop them, and return the exit status.

    Raises LocalError if they cannot be started, and KeyboardInterrupt if interrupted before they are ready.
    """
    stack = Stack(home, names, table=table.table(workers))
    install()  # into a cache that other users may share; everything after this belongs to this user alone
    os.umask(private.UMASK)
    with _interruptible():
        stack.start()
        try:
            with _noted(stack.home):
                _serve(stack, demonstrate=demonstrate)
        except KeyboardInterrupt:
            say("stopping")
        finally:
            stack.stop()
    say("stopped")
    return 0


def _serve(stack: Stack, *, demonstrate: bool) -> None:
    running = stack.state
    if "gateway" in running.parts:
        if demonstrate:
            demo.run(stack.settings, api_key(stack.home))
        say(f"serving at {running.url}; in a browser: {running.url}/?key={api_key(stack.home)}")
        say(f"the API key is in {stack.home / 'api-key'}, logs are in {stack.home / 'logs'}; Ctrl-C stops everything")
    if "kafka" in running.parts:
        (kcat, *_) = (command for _, _, command in clients.commands(stack.home, running.settings, running.parts))
        say(f"Kafka, with the password of this home: {kcat}; `millrace status` shows how to open the other parts")
    if os.geteuid() == 0:
        say("running as root: everything but PostgreSQL has all rights on this machine; a user of your own is safer")
    if "gateway" not in running.parts:
        say("all parts are up; Ctrl-C stops them")
    if class_caches.wanted(install()):
        stack.add(class_caches.TRAINING)
    threading.Event().wait()


@contextmanager
def _noted(home: Path) -> Iterator[None]:
    """Let other shells find the stack; where the note cannot be written, they have to set MILLRACE_HOME."""
    try:
        file = homes.note(home, os.environ)
    except OSError:
        yield
        return
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Turn the first stop signal into KeyboardInterrupt, and ignore further ones while stopping."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for each in _STOPPING:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    for each in _STOPPING:
        # Under nohup SIGHUP is already ignored: the stack must outlive its terminal.
        if each is not signal.SIGHUP or signal.getsignal(each) is not signal.SIG_IGN:
            signal.signal(each, interrupt)
    yield
