"""The state of a running stack in its home: the lock, and `stack.json`."""

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
"""Variables that would lead a client to another stack."""
_POLL_SECONDS = 0.05
_STOPPING_SECONDS = 30.0
_LOOKING_SECONDS = 0.3
"""A process that only checks whether a stack runs holds the lock for a moment too."""
_SILENT_SECONDS = 5.0


class State(StrEnum):
    """The state of a part between its request and its end."""

    WAITING = "waiting"
    """For the parts it needs."""
    STARTING = "starting"
    READY = "ready"
    DONE = "done"
    """A task that ended with status 0."""
    RESTARTING = "restarting"
    """Its process died and is started again after a pause."""
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True)
class PartState:
    """One part as `stack.json` shows it."""

    state: State
    pid: int | None = None
    port: int | None = None
    restarts: int = 0
    """Number of restarts after the process had died."""
    reason: str | None = None
    """Why the process died last; None if it never did."""
    aside: bool = False
    """True if the stack counts as ready without this part."""


@dataclass(frozen=True)
class StackState:
    """All of `stack.json`."""

    pid: int
    settings: Mapping[str, Any]
    parts: Mapping[str, PartState]
    stopping: bool = False

    @property
    def ready(self) -> bool:
        """Whether every part is ready."""
        return all(part.aside or part.state in (State.READY, State.DONE) for part in self.parts.values())

    @property
    def url(self) -> str:
        """Address of the gateway, whether it runs or not."""
        return f"http://{self.settings['http_host']}:{self.settings['http_port']}"


def visible(settings: Settings) -> dict[str, Any]:
    """Return the settings that clients of this stack need, as JSON values."""
    values = {name: getattr(settings, name) for name in (*_WHERE, *_HOW)}
    return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}


def write(home: Path, state: StackState) -> None:
    """Replace `stack.json` atomically; only its owner may read it, because it contains passwords."""
    private.write(home / "stack.json", json.dumps(asdict(state), indent=2) + "\n")


def read(home: Path) -> StackState | None:
    """Read what the stack of this home wrote last; None if there is no valid file. Raises BadHome if it is another user's."""
    try:
        document = json.loads((home / "stack.json").read_text())
        parts = {name: PartState(**{**part, "state": State(part["state"])}) for name, part in document["parts"].items()}
        return StackState(document["pid"], document["settings"], parts, document.get("stopping", False))
    except PermissionError as error:
        raise BadHome(home, error) from error
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remove(home: Path) -> None:
    """Delete `stack.json`."""
    (home / "stack.json").unlink(missing_ok=True)


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Own this home, after waiting for an owner that is stopping. The lock ends with its process, even under kill -9.

    Raises AlreadyRunning when another process owns the home.
    """
    private.claim(home)
    with os.fdopen(os.open(home / "lock", os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), "a+") as lock:
        begin = time.monotonic()
        while not _taken(lock, fcntl.LOCK_EX):
            owner_state = read(home)
            if time.monotonic() - begin > _patience(owner_state):
                raise AlreadyRunning(_where(home, owner_state))
            time.sleep(_POLL_SECONDS)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _patience(owner_state: StackState | None) -> float:
    """Return the seconds to wait for an owner of the home."""
    if owner_state is None:  # it has removed its state and is about to exit, is about to start, or only looks
        return _SILENT_SECONDS
    return _STOPPING_SECONDS if owner_state.stopping else _LOOKING_SECONDS


def _taken(lock: TextIO, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def owner(home: Path) -> int | None:
    """Return the process id of the launcher that owns this home; None if no stack runs, 0 if unknown. Raises BadHome."""
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
    """Wait until no launcher owns this home; False if one still does after this many seconds."""
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
