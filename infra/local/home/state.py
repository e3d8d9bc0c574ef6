"""What a running stack says about itself in its home: the lock, and `stack.json`."""

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TextIO

from infra.local.errors import AlreadyRunning, BadHome
from infra.local.home import private
from streams.settings import Settings

_WHERE = (
    "kafka",
    "kafka_protocol",
    "kafka_ca",
    "kafka_certificate",
    "kafka_key",
    "kafka_mechanism",
    "kafka_user",
    "kafka_password_file",
    "registry",
    "s3",
    "s3_access_key",
    "s3_secret_key",
    "s3_bucket",
    "postgres",
    "http_host",
    "http_port",
)
_HOW = ("topic_prefix", "partitions", "data", "train", "object_detector")
ADDRESSES = frozenset(f"MILLRACE_{name.upper()}" for name in _WHERE)
"""Variables that would lead a client of this stack somewhere else."""
_POLL_SECONDS = 0.05
_STOPPING_SECONDS = 30.0
_LOOKING_SECONDS = 0.3


class State(StrEnum):
    """Where a part is between asked for and gone."""

    WAITING = "waiting"
    """For the parts it needs."""
    STARTING = "starting"
    READY = "ready"
    DONE = "done"
    """A task that ended well."""
    RESTARTING = "restarting"
    """It died; a new start follows after a pause."""
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True)
class PartState:
    """One part as `stack.json` shows it."""

    state: State
    pid: int | None = None
    port: int | None = None
    restarts: int = 0
    """How often it was started again after it had died."""
    reason: str | None = None
    """Why it died last."""
    aside: bool = False
    """The stack is ready without it."""


@dataclass(frozen=True)
class StackState:
    """All of `stack.json`."""

    pid: int
    settings: Mapping[str, Any]
    parts: Mapping[str, PartState]
    stopping: bool = False

    @property
    def ready(self) -> bool:
        """Whether every part serves."""
        return all(part.aside or part.state in (State.READY, State.DONE) for part in self.parts.values())

    @property
    def url(self) -> str:
        """Where the gateway is, or would be."""
        return f"http://{self.settings['http_host']}:{self.settings['http_port']}"


def visible(settings: Settings) -> dict[str, Any]:
    """The settings that clients of this stack need, as JSON has them."""
    values = {name: getattr(settings, name) for name in (*_WHERE, *_HOW)}
    return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}


def write(home: Path, state: StackState) -> None:
    """Replace `stack.json` at once; it holds passwords, so only its owner may read it."""
    private.write(home / "stack.json", json.dumps(asdict(state), indent=2) + "\n")


def read(home: Path) -> StackState | None:
    """What the stack of this home wrote last; None when there is nothing to read. Raises BadHome when it is another user's."""
    try:
        document = json.loads((home / "stack.json").read_text())
        parts = {name: PartState(**{**part, "state": State(part["state"])}) for name, part in document["parts"].items()}
        return StackState(document["pid"], document["settings"], parts, document.get("stopping", False))
    except PermissionError as error:
        raise BadHome(home, error) from error
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remove(home: Path) -> None:
    """Forget the stack that ran here."""
    (home / "stack.json").unlink(missing_ok=True)


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Own this home; waits for an owner that is stopping. The lock ends with its process, even under kill -9.

    Raises AlreadyRunning when another process owns the home.
    """
    private.claim(home)
    with os.fdopen(os.open(home / "lock", os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), "a+") as lock:
        begin = time.monotonic()
        while not _taken(lock, fcntl.LOCK_EX):
            owner_state = read(home)
            # Who only looks whether a stack runs holds the lock for a moment too.
            patience = _STOPPING_SECONDS if owner_state is not None and owner_state.stopping else _LOOKING_SECONDS
            if time.monotonic() - begin > patience:
                raise AlreadyRunning(_where(home, owner_state))
            time.sleep(_POLL_SECONDS)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _taken(lock: TextIO, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def owner(home: Path) -> int | None:
    """The process id of the launcher that owns this home now; None when no stack runs. Raises BadHome."""
    try:
        with (home / "lock").open() as lock:
            if _taken(lock, fcntl.LOCK_SH):
                return None
            text = lock.read()
            return int(text) if text.isdigit() else 0
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadHome(home, error) from error


def await_free(home: Path, seconds: float) -> bool:
    """Wait until no launcher owns this home; False when one still does after so many seconds."""
    deadline = time.monotonic() + seconds
    while owner(home) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _where(home: Path, state: StackState | None) -> str:
    if state is None:
        return f"another process (pid {owner(home)}) is starting a stack in {home}: wait for it, or `millrace down` ends it"
    gateway = f" at {state.url}" if "gateway" in state.parts else ""
    doing = "is still stopping" if state.stopping else "runs already"
    return f"a stack {doing} in {home}{gateway} (pid {state.pid}); `millrace status` shows it, `millrace down` ends it"
