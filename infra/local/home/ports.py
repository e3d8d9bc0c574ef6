"""Free loopback ports, stored in the home so that a restarted stack keeps its addresses."""

import json
import random
import socket
import threading
from collections.abc import Mapping
from pathlib import Path

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


class Ports:
    """The port of each name: the last one used if it is free, else the preferred one, else any."""

    def __init__(self, path: Path, preferred: Mapping[str, int]) -> None:
        self._path = path
        self._preferred = preferred
        self._taken: dict[str, int] = {}
        self._lock = threading.Lock()
        self._last = _remembered(path)

    def __getitem__(self, name: str) -> int:
        """Return the port of a name, chosen at the first call. Raises StartError if no port is free."""
        with self._lock:
            if name not in self._taken:
                self._choose(name, [self._last.get(name, 0), self._preferred.get(name, 0)])
            return self._taken[name]

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
            if port not in others and is_free(port):
                if wanted and port not in wanted:
                    say(f"{name}: port {wanted[0]} is taken, using {port}")
                self._taken[name] = port
                private.write(self._path, json.dumps({**self._last, **self._taken}))
                return
        raise StartError(
            f"{name}: no free port on {LOOPBACK} between {_FIRST} and {_LAST}; end the programs that hold them"
        )


def _remembered(path: Path) -> dict[str, int]:
    try:
        ports = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}  # without stored ports, others are chosen
    return {name: port for name, port in ports.items() if isinstance(port, int)} if isinstance(ports, dict) else {}
