"""Free loopback ports, stored in the home so that a restarted stack keeps its addresses."""

import json
import random
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from infra.local.errors import StartError
from infra.local.home import private
from infra.local.progress import say

LOOPBACK = "127.0.0.1"
PREFERRED = {
    "gateway": 8000,
    "registry": 8081,
    "registry-management": 8082,
    "s3": 9090,
    "kafka": 9092,
    "kafka-controller": 9093,
    "postgres": 5432,
}
_FIRST, _LAST = (
    20_000,
    32_000,
)  # below the ports the kernel hands to outgoing connections: a restart finds its port free
_TRIES = 200


def is_free(port: int) -> bool:
    """Return whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _reserve(port: int) -> socket.socket | None:
    """Reserve a port among the stacks of this machine until the socket is closed; None when another stack has reserved it.

    A part that is being restarted does not listen for a moment, and its port must not be given away meanwhile. The name is
    that of an abstract Unix socket, which exists on Linux only: elsewhere nothing is reserved.
    """
    reservation = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    if sys.platform == "linux":
        try:
            reservation.bind(f"\0millrace-port-{port}")
        except OSError:
            reservation.close()
            return None
    return reservation


class Ports:
    """The port of each name: the last one used if it is free, else the preferred one, else any.

    Other stacks leave a chosen port alone until `close`, or the end of a `with` block.
    """

    def __init__(self, path: Path, preferred: Mapping[str, int]) -> None:
        self._path = path
        self._preferred = preferred
        self._taken: dict[str, int] = {}
        self._reservations: dict[str, socket.socket] = {}
        self._lock = threading.Lock()
        self._last = _remembered(path)

    def __getitem__(self, name: str) -> int:
        """Return the port of a name, chosen at the first call. Raises StartError if no port is free."""
        with self._lock:
            if name not in self._taken:
                self._choose(name, [self._last.get(name, 0), self._preferred.get(name, 0)])
            return self._taken[name]

    def close(self) -> None:
        """Let other stacks use the ports."""
        for reservation in self._reservations.values():
            reservation.close()
        self._reservations.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, name: str, port: int) -> None:
        """Prefer a port over the one that was used last."""
        self._last.pop(name, None)
        self._preferred = {**self._preferred, name: port}

    def renew(self, name: str) -> bool:
        """Choose another port for a name whose port another program took; False if the port is still free."""
        with self._lock:
            if is_free(self._taken[name]):
                return False
            self._choose(name, [])
            return True

    def _choose(self, name: str, wishes: list[int]) -> None:
        others = {port for other, port in self._taken.items() if other != name}
        wanted = [port for port in wishes if port and port not in others]
        spread = (random.randrange(_FIRST, _LAST) for _ in range(_TRIES))
        for port in (*wanted, *spread):
            if port in others or not is_free(port):
                continue
            if (reservation := self._reservation(name, port)) is not None:
                self._reservations[name] = reservation
                if wanted and port not in wanted:
                    say(f"{name}: port {wanted[0]} is taken, using {port}")
                self._taken[name] = port
                private.write(self._path, json.dumps({**self._last, **self._taken}))
                return
        raise StartError(
            f"{name}: no free port on {LOOPBACK} between {_FIRST} and {_LAST}; end the programs that hold them"
        )

    def _reservation(self, name: str, port: int) -> socket.socket | None:
        """Reserve a port for a name instead of the one that it had."""
        if name in self._reservations:
            self._reservations.pop(name).close()
        return _reserve(port)


def _remembered(path: Path) -> dict[str, int]:
    try:
        ports = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}  # without stored ports, others are chosen
    return {name: port for name, port in ports.items() if isinstance(port, int)} if isinstance(ports, dict) else {}
